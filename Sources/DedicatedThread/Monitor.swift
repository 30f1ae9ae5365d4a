internal import Glibc

/// A mutex and two condition variables at a fixed address.
///
/// `Synchronization.Mutex` has no condition to wait on, and both users of this type must sleep until another
/// thread acts. Only threads that exist to block may wait here; never a thread of the cooperative pool.
///
/// `@safe`: the pointers are private, live exactly as long as the value, and never escape.
@safe struct Monitor: ~Copyable {
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let conditions: UnsafeMutablePointer<pthread_cond_t>

  /// What a thread waits for: something to take, or room to put.
  enum Event: Int {
    case filled = 0
    case drained = 1
  }

  init() {
    unsafe mutex = .allocate(capacity: 1)
    unsafe conditions = .allocate(capacity: 2)
    precondition(unsafe pthread_mutex_init(mutex, nil) == 0)
    precondition(unsafe pthread_cond_init(conditions, nil) == 0)
    precondition(unsafe pthread_cond_init(conditions + 1, nil) == 0)
  }

  deinit {
    unsafe pthread_cond_destroy(conditions)
    unsafe pthread_cond_destroy(conditions + 1)
    unsafe pthread_mutex_destroy(mutex)
    unsafe conditions.deallocate()
    unsafe mutex.deallocate()
  }

  borrowing func withLock<R>(_ body: () -> R) -> R {
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    return body()
  }

  /// Releases the lock, sleeps until `event` is signalled, and takes the lock again. Wakes spuriously.
  borrowing func wait(for event: Event) {
    unsafe pthread_cond_wait(conditions + event.rawValue, mutex)
  }

  borrowing func signal(_ event: Event) {
    unsafe pthread_cond_signal(conditions + event.rawValue)
  }

  borrowing func broadcast(_ event: Event) {
    unsafe pthread_cond_broadcast(conditions + event.rawValue)
  }
}

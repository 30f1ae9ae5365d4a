/// A serial executor that owns one operating-system thread.
///
/// libgit2, libpq and hiredis block, and their handles belong to one thread at a time. An actor whose
/// executor is a `DedicatedThread` runs every job there, in order, so that a blocking call holds up neither
/// Swift's cooperative pool nor another actor, and thread-local error state is read where it was written.
///
/// Lifetime: the thread ends when the executor is released and its queue is empty. It is detached, so the
/// last reference may be dropped on the thread itself.
package final class DedicatedThread: SerialExecutor {
  private let queue: JobQueue

  /// Starts the thread. `name` is cut to the 15 bytes that Linux keeps.
  package init(name: String) {
    queue = JobQueue()
    queue.startThread(name: name)
  }

  deinit {
    queue.close()
  }

  package func enqueue(_ job: consuming ExecutorJob) {
    // The job runs on behalf of an actor that outlives it, and the actor holds this executor: the unowned
    // reference that runs the job cannot dangle.
    let job = UnownedJob(job)
    queue.push(unsafe QueuedJob(job: job, executor: asUnownedSerialExecutor()))
  }

  package func asUnownedSerialExecutor() -> UnownedSerialExecutor {
    unsafe UnownedSerialExecutor(ordinary: self)
  }
}

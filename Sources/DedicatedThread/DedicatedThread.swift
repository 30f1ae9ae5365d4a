/// A serial executor that owns one operating-system thread.
///
/// libgit2, libpq and hiredis block, and their handles belong to one thread at a time. An actor whose
/// executor is a `DedicatedThread` runs every job there, in order, so that a blocking call holds up neither
/// Swift's cooperative pool nor another actor, and thread-local error state is read where it was written.
///
/// Lifetime: the thread ends when the executor is released and its queue is empty. It is detached, so the
/// last reference may be dropped on the thread itself. A job in the queue, or at work, keeps its executor: a task that
/// awaited an actor may go on on the actor's thread after it has released the actor, and the runtime still asks this
/// executor then, for instance before it runs the isolated deinit of another actor.
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
    queue.push(QueuedJob(job: UnownedJob(job), executor: self))
  }

  package func asUnownedSerialExecutor() -> UnownedSerialExecutor {
    unsafe UnownedSerialExecutor(ordinary: self)
  }
}

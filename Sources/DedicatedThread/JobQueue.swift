internal import Glibc

/// A job and the executor on whose behalf it runs, which it keeps alive until it has run.
struct QueuedJob {
  let job: UnownedJob
  let executor: DedicatedThread
}

/// The queue between enqueuing threads and the one thread that runs jobs.
///
/// `@unchecked Sendable`: every access to `jobs`, `head` and `isClosed` is inside `monitor.withLock`.
final class JobQueue: @unchecked Sendable {
  private let monitor = Monitor()
  private var jobs: [QueuedJob] = []
  private var isClosed = false

  func push(_ job: QueuedJob) {
    monitor.withLock {
      jobs.append(job)
      monitor.signal(.filled)
    }
  }

  func close() {
    monitor.withLock {
      isClosed = true
      monitor.signal(.filled)
    }
  }

  /// All waiting jobs in order of arrival; blocks while there are none; nil once closed and empty.
  private func takeAll() -> [QueuedJob]? {
    monitor.withLock {
      while jobs.isEmpty && !isClosed { monitor.wait(for: .filled) }
      guard !jobs.isEmpty else { return nil }
      var taken: [QueuedJob] = []
      swap(&taken, &jobs)
      return taken
    }
  }

  func startThread(name: String) {
    let context = unsafe Unmanaged.passRetained(ThreadContext(queue: self, name: name))
    var thread = pthread_t()
    var attributes = pthread_attr_t()
    unsafe pthread_attr_init(&attributes)
    // libgit2 recurses into nested trees, and parsers into nested JSON: the 8 MiB that a main thread has.
    unsafe pthread_attr_setstacksize(&attributes, 8 << 20)
    unsafe pthread_attr_setdetachstate(&attributes, CInt(PTHREAD_CREATE_DETACHED))
    let status = unsafe pthread_create(
      &thread, &attributes,
      { argument in
        guard let argument = unsafe argument else { return nil }
        let context = unsafe Unmanaged<ThreadContext>.fromOpaque(argument).takeRetainedValue()
        context.run()
        return nil
      }, context.toOpaque())
    unsafe pthread_attr_destroy(&attributes)
    precondition(status == 0, "pthread_create failed with \(status): the process is out of threads")
  }

  fileprivate func run() {
    while let batch = takeAll() {
      for item in batch {
        withExtendedLifetime(item.executor) {
          unsafe item.job.runSynchronously(on: item.executor.asUnownedSerialExecutor())
        }
      }
    }
  }
}

/// What the new thread needs: it keeps the queue alive until the thread ends.
private final class ThreadContext {
  private let queue: JobQueue
  private let name: String

  init(queue: JobQueue, name: String) {
    self.queue = queue
    self.name = name
  }

  func run() {
    // Neither prctl nor pthread_setname_np is imported from glibc; the kernel takes the name by file as well.
    let comm = unsafe open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
    if comm >= 0 {
      let short = Array(name.utf8.prefix(15))
      _ = unsafe write(comm, short, short.count)
      close(comm)
    }
    queue.run()
  }
}

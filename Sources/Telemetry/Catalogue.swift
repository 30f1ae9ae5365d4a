/// Every family that the program knows. Alert rules and dashboards use these names and no others.
extension MetricFamily {
  // MARK: The layers, asked at each scrape

  package static let layerUp = MetricFamily(
    "moha_layer_up", .gauge, "Whether a layer answers and is fit for use: 1 ok, 0.5 degraded, 0 down",
    labels: ["layer"])
  package static let layerLatency = MetricFamily(
    "moha_layer_latency_seconds", .gauge, "How long the layer took to answer the last question", labels: ["layer"])

  // MARK: Git beside the rows

  package static let records = MetricFamily(
    "moha_records", .gauge, "Rows of the agent's records in the database", labels: ["agent", "kind"])
  package static let differences = MetricFamily(
    "moha_differences", .gauge, "Differences between git and the rows that the last comparison found",
    labels: ["agent", "class"])
  package static let differencesRemaining = MetricFamily(
    "moha_differences_remaining", .gauge, "Differences that the last comparison left unrepaired", labels: ["agent"])
  package static let reconcileSuccess = MetricFamily(
    "moha_reconcile_last_success_timestamp_seconds", .gauge,
    "When a reconcile last ended with nothing left to repair, in seconds since 1970", labels: ["agent"])
  package static let lagCommits = MetricFamily(
    "moha_projection_lag_commits", .gauge, "Commits of HEAD that no reconcile has compared with the rows yet",
    labels: ["agent"])
  package static let lagSeconds = MetricFamily(
    "moha_projection_lag_seconds", .gauge, "Age of the oldest commit that no reconcile has compared with the rows yet",
    labels: ["agent"])

  // MARK: The periodic run

  package static let tickRun = MetricFamily(
    "moha_tick_last_run_timestamp_seconds", .gauge, "When a tick last ended, in seconds since 1970", labels: ["agent"])
  package static let tickSuccess = MetricFamily(
    "moha_tick_last_success_timestamp_seconds", .gauge,
    "When a tick last ended with exit code 0, in seconds since 1970; 0 for never", labels: ["agent"])
  package static let tickExitCode = MetricFamily(
    "moha_tick_last_exit_code", .gauge, "The exit code of the last tick", labels: ["agent"])
  package static let tickStepDuration = MetricFamily(
    "moha_tick_step_duration_seconds", .gauge, "How long a step of the last tick took", labels: ["agent", "step"])
  package static let tickStepExitCode = MetricFamily(
    "moha_tick_step_exit_code", .gauge, "The exit code of a step of the last tick", labels: ["agent", "step"])

  // MARK: What this process did

  /// Seconds: from a write into the page cache to one that waits for a crowd.
  package static let durations = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

  package static let writes = MetricFamily(
    "moha_writes_total", .counter, "Requests to record something, by what became of them", labels: ["kind", "outcome"])
  package static let writeDuration = MetricFamily(
    "moha_write_duration_seconds", .histogram, "From a request to record something to its answer", buckets: durations)
  package static let requests = MetricFamily(
    "moha_mcp_requests_total", .counter, "Requests of MCP clients, by method and outcome",
    labels: ["method", "outcome"])
  package static let requestDuration = MetricFamily(
    "moha_mcp_request_duration_seconds", .histogram, "From a request of an MCP client to its answer",
    labels: ["method"], buckets: durations)

  // MARK: The process

  package static let build = MetricFamily(
    "moha_build_info", .gauge, "The program's version; always 1", labels: ["version"])
  package static let processCPU = MetricFamily(
    "process_cpu_seconds_total", .counter, "User and system time of the process in seconds")
  package static let processMemory = MetricFamily(
    "process_resident_memory_bytes", .gauge, "Resident memory of the process in bytes")
  package static let processVirtualMemory = MetricFamily(
    "process_virtual_memory_bytes", .gauge, "Virtual memory of the process in bytes")
  package static let processOpenFiles = MetricFamily("process_open_fds", .gauge, "Open file descriptors of the process")
  package static let processMaximumFiles = MetricFamily(
    "process_max_fds", .gauge, "The limit of open file descriptors of the process")
  package static let processStart = MetricFamily(
    "process_start_time_seconds", .gauge, "When the process started, in seconds since 1970")

  // MARK: Groups

  /// What a tick leaves in its text file, after its process has ended.
  package static let ofTick: [MetricFamily] = [
    .differences, .differencesRemaining, .reconcileSuccess, .tickRun, .tickSuccess, .tickExitCode, .tickStepDuration,
    .tickStepExitCode,
  ]

  /// Those with the names that every Prometheus client library gives them.
  package static let ofProcess: [MetricFamily] = [
    .processCPU, .processMemory, .processVirtualMemory, .processOpenFiles, .processMaximumFiles, .processStart,
  ]

  /// Those of a running server, which are all.
  package static let all: [MetricFamily] =
    [
      .build, .layerUp, .layerLatency, .records, .lagCommits, .lagSeconds, .writes, .writeDuration, .requests,
      .requestDuration,
    ] + ofTick + ofProcess
}

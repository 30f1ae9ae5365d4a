internal import Telemetry
internal import Testing

/// The text that Prometheus reads.
@Suite struct ExpositionTests {
  @Test("a family has its help and type, and samples with escaped labels")
  func text() {
    var exposition = Exposition([.layerUp, .lagCommits])
    exposition.add(.layerUp, "a\"b\\c\nd é", value: 0.5)
    exposition.add(.layerUp, "git", value: 1)
    #expect(
      exposition.text == """
        # HELP moha_layer_up \(MetricFamily.layerUp.help)
        # TYPE moha_layer_up gauge
        moha_layer_up{layer="a\\"b\\\\c\\nd é"} 0.5
        moha_layer_up{layer="git"} 1
        # HELP moha_projection_lag_commits \(MetricFamily.lagCommits.help)
        # TYPE moha_projection_lag_commits gauge

        """)
  }

  @Test("numbers are those that Go's parser reads")
  func numbers() {
    var exposition = Exposition([.lagCommits])
    for value in [0, 1e9, 1.5, .infinity, -.infinity, .nan, 1e300, 5e-7] {
      exposition.add(.lagCommits, "maven", value: value)
    }
    let values = exposition.text.split(separator: "\n").dropFirst(2).compactMap { $0.split(separator: " ").last }
    #expect(values == ["0", "1000000000", "1.5", "+Inf", "-Inf", "NaN", "1e+300", "5e-07"])
  }

  @Test("a histogram's buckets are cumulative, and the last one is its count")
  func histogram() {
    var distribution = Distribution(bounds: MetricFamily.writeDuration.buckets)
    for value in [0.0001, 0.0005, 0.3, 60] { distribution.observe(value) }
    var exposition = Exposition([.writeDuration])
    exposition.add(.writeDuration, [], distribution)
    let lines = exposition.text.split(separator: "\n")
    #expect(lines.contains("moha_write_duration_seconds_bucket{le=\"0.0005\"} 2"))
    #expect(lines.contains("moha_write_duration_seconds_bucket{le=\"0.25\"} 2"))
    #expect(lines.contains("moha_write_duration_seconds_bucket{le=\"0.5\"} 3"))
    #expect(lines.contains("moha_write_duration_seconds_bucket{le=\"10\"} 3"))
    #expect(lines.contains("moha_write_duration_seconds_bucket{le=\"+Inf\"} 4"))
    #expect(lines.contains("moha_write_duration_seconds_count 4"))
    #expect(lines.contains("moha_write_duration_seconds_sum 60.3006"))
  }
}

/// What a process counts.
@Suite struct ActivityTests {
  private func lines(_ activity: Activity) -> Set<Substring> {
    var exposition = Exposition(MetricFamily.all)
    activity.add(to: &exposition)
    return Set(exposition.text.split(separator: "\n"))
  }

  @Test("counts from many tasks add up, and start at 0")
  func counts() async {
    let activity = Activity(methods: ["ping"], kinds: ["decision"])
    #expect(lines(activity).contains("moha_mcp_requests_total{method=\"ping\",outcome=\"ok\"} 0"))
    await withTaskGroup { group in
      for _ in 0..<8 {
        group.addTask {
          for _ in 0..<1_000 {
            activity.request("ping", .ok, .milliseconds(2))
            activity.write("decision", .committed, .milliseconds(30))
          }
        }
      }
    }
    let lines = lines(activity)
    #expect(lines.contains("moha_mcp_requests_total{method=\"ping\",outcome=\"ok\"} 8000"))
    #expect(lines.contains("moha_mcp_request_duration_seconds_bucket{method=\"ping\",le=\"0.0025\"} 8000"))
    #expect(lines.contains("moha_mcp_request_duration_seconds_bucket{method=\"ping\",le=\"0.001\"} 0"))
    #expect(lines.contains("moha_writes_total{kind=\"decision\",outcome=\"committed\"} 8000"))
    #expect(lines.contains("moha_write_duration_seconds_count 8000"))
  }

  @Test("a method that nobody knows counts as other: a client cannot make labels")
  func other() {
    let activity = Activity(methods: ["ping"], kinds: ["decision"])
    let before = lines(activity).count
    for number in 0..<1_000 { activity.request("made/up\(number)", .error, .zero) }
    #expect(lines(activity).count == before)
    #expect(lines(activity).contains("moha_mcp_requests_total{method=\"other\",outcome=\"error\"} 1000"))
  }
}

/// The names themselves.
@Suite struct CatalogueTests {
  @Test("names and labels are valid, different, and end as their kind asks")
  func names() {
    #expect(Set(MetricFamily.all.map(\.name)).count == MetricFamily.all.count)
    for family in MetricFamily.all {
      for name in [family.name] + family.labels {
        #expect(name.utf8.allSatisfy { $0 == 0x5F || (0x61...0x7A).contains($0) }, "\(name)")
      }
      #expect(family.name.hasSuffix("_total") == (family.kind == .counter), "\(family.name)")
      #expect(family.buckets.isEmpty == (family.kind != .histogram) && family.buckets == family.buckets.sorted())
      #expect(!family.help.contains("\n") && !family.help.contains("\\") && !family.help.hasSuffix("."))
    }
  }

  @Test("the kernel tells every process metric")
  func process() {
    var exposition = Exposition(MetricFamily.ofProcess)
    ProcessMeasures.add(to: &exposition)
    for family in MetricFamily.ofProcess {
      let sample = exposition.text.split(separator: "\n").first { $0.hasPrefix(family.name + " ") }
      #expect(sample.flatMap { Double($0.split(separator: " ").last ?? "") }.map { $0 >= 0 } == true, "\(family.name)")
    }
  }
}

internal import Persistence
package import Telemetry

extension Activity {
  /// What a server counts: the protocol's methods and the kinds of records, by name.
  package static func ofServer() -> Activity {
    Activity(
      methods: Method.allCases.map(\.rawValue), kinds: RecordRequest.Kind.allCases.map(\.rawValue))
  }
}

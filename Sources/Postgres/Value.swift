/// A parameter of a statement.
///
/// The server decides the type, as it does for a quoted literal: `$1` compared with an integer column is an
/// integer. Where nothing decides (`jsonb_build_object('n', $1)`), write a cast: `$1::bigint`. A value therefore
/// behaves the same in a prepared and an unprepared statement, null or not.
package enum Value: Sendable, Hashable {
  case null
  case text(String)
  case int(Int64)
  case bool(Bool)
  /// Raw bytes, for a `bytea`.
  case bytes([UInt8])
  case double(Double)
  /// JSON text, for a `json` or `jsonb`.
  case json(String)
  /// Decimal text, for a `numeric`: digits with an optional sign, point and exponent, or `NaN`.
  case numeric(String)
  /// Microseconds since 2000-01-01 00:00 UTC, the unit and epoch of the server's own `timestamptz`.
  case timestamp(microsecondsSince2000: Int64)
  case textArray([String?])
  case intArray([Int64])
  case bytesArray([[UInt8]])
}

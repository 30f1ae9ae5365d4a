/// An answer of the server.
package enum Reply: Sendable, Hashable {
  case null
  case integer(Int64)
  /// A binary-safe string.
  case string([UInt8])
  /// `OK`, `PONG`, `QUEUED`.
  case status(String)
  /// An error inside of an array, as `EXEC` answers; one that stands alone is thrown.
  case error(String)
  case array([Reply])

  /// The text of a string or a status; nil for anything else.
  package var text: String? {
    switch self {
    case .string(let bytes): String(decoding: bytes, as: UTF8.self)
    case .status(let text): text
    default: nil
    }
  }

  /// The bytes of a string; nil for anything else.
  package var bytes: [UInt8]? {
    if case .string(let bytes) = self { bytes } else { nil }
  }

  /// An integer, or a string that holds one; nil for anything else.
  package var integer: Int64? {
    switch self {
    case .integer(let number): number
    case .string(let bytes): Int64(String(decoding: bytes, as: UTF8.self))
    default: nil
    }
  }

  /// The elements of an array; nil for anything else.
  package var elements: [Reply]? {
    if case .array(let elements) = self { elements } else { nil }
  }
}

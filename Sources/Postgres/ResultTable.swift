internal import Telemetry

/// The column names of a result. The first of two equal names wins, as in `PQfnumber`.
final class ResultColumns: Sendable {
  let names: [String]
  private let indices: [String: Int]

  init(_ result: borrowing ResultHandle) {
    var names: [String] = []
    for column in 0..<result.columnCount { names.append(result.columnName(column)) }
    self.names = names
    indices = Dictionary(names.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
  }

  func index(of name: String) -> Int? { indices[name] }
}

/// All values of a result, copied out of libpq into one buffer.
final class ResultTable: Sendable {
  let columns: ResultColumns
  let rowCount: Int
  private let bytes: [UInt8]
  /// Row by row, where each value lies in `bytes`; nil for null.
  private let ranges: [Range<Int>?]

  init(_ result: borrowing ResultHandle) {
    columns = ResultColumns(result)
    rowCount = result.rowCount
    WorkCount.add(.rowsReceived, rowCount)
    var bytes: [UInt8] = []
    var ranges: [Range<Int>?] = []
    ranges.reserveCapacity(result.rowCount * result.columnCount)
    for row in 0..<result.rowCount {
      for column in 0..<result.columnCount {
        if let cell = unsafe result.cell(row: row, column: column) {
          let start = bytes.count
          unsafe bytes.append(contentsOf: cell)
          ranges.append(start..<bytes.count)
        } else {
          ranges.append(nil)
        }
      }
    }
    self.bytes = bytes
    self.ranges = ranges
  }

  func withCell<R>(
    row: Int, column: Int, _ body: (UnsafeRawBufferPointer?) throws(PostgresError) -> R
  ) throws(PostgresError) -> R {
    guard row >= 0, row < rowCount, column >= 0, column < columns.names.count,
      let range = ranges[row * columns.names.count + column]
    else { return try body(nil) }
    return try unsafe bytes.withUnsafeBufferPointer { buffer throws(PostgresError) in
      try unsafe body(UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: buffer[range])))
    }
  }
}

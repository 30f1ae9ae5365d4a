internal import Git
internal import Postgres
package import Records

/// What the file of a decision says of its row.
package enum RowComparison: Sendable {
  /// Every field is the same.
  case same
  /// The fields that say something else, in the order of the record; git's value and the row's.
  case differs([FieldDifference])
  /// The file cannot be compared, and why, as a clause: `the tree has no such file`.
  case unknown(String)

  /// The fields that differ, by name.
  package var fields: [String: FieldDifference] {
    guard case .differs(let fields) = self else { return [:] }
    return Dictionary(fields.map { ($0.name, $0) }) { first, _ in first }
  }
}

extension AgentRecords {
  /// Compares a decision's row, as it is now, with its file in the working tree; of one that only history holds, with the
  /// file in the commit that the row names. A file that the checkout leaves out is read from HEAD.
  ///
  /// - Throws: what `RecordQueries.rows` throws.
  package func comparison(of decision: DecisionRow, _ queries: RecordQueries) async throws -> RowComparison {
    guard let path = decision.path.flatMap({ RecordPath(text: $0) }) else {
      return .unknown("the row names no file, so git cannot say anything of it")
    }
    guard let (stored, hash) = try await queries.storedDecision(decision.id) else {
      return .unknown("the row is gone meanwhile")
    }
    guard let bytes = await bytes(of: path, for: decision) else {
      return .unknown(
        decision.gitStatus == "archived"
          ? "the commit that held it cannot be read here" : "the tree has no such file now")
    }
    let decoded = RecordFile.decode(bytes, role: .decision, path: path)
    guard let record = decoded.record else {
      let problem = decoded.diagnostics.first { $0.severity == .error }?.message ?? "it is no record"
      return .unknown("the file does not parse (\(problem)); the row is its last good version")
    }
    if record.contentHash.bytes == hash { return .same }
    let fields = record.row.fieldDifferences(from: stored)
    return fields.isEmpty ? .unknown("the row's hash is not that of its columns") : .differs(fields)
  }

  private func bytes(of path: RecordPath, for decision: DecisionRow) async -> [UInt8]? {
    if decision.gitStatus == "archived" {
      return await bytes(of: path, at: decision.commit.flatMap { ObjectID(hex: $0) })
    }
    if let content = await files.read(path) { return content.bytes }
    return await bytes(of: path, at: try? await lookout.repository().head().commit)
  }

  private func bytes(of path: RecordPath, at commit: ObjectID?) async -> [UInt8]? {
    guard let commit, let repository = try? lookout.repository(), let tree = try? await repository.commit(commit).tree,
      let entry = try? await repository.entry(at: GitPath(path.bytes), inTree: tree)
    else { return nil }
    return try? await repository.blob(entry.id, limit: GitRecordReader.fileLimit)
  }
}

extension RecordQueries {
  /// The columns of a decision's row as exact values, and the hash that the database computes of them.
  fileprivate func storedDecision(_ id: Int64) async throws -> (row: RecordRow, hash: [UInt8])? {
    let columns = RecordRow.columns(of: .decision)
    let selected = columns.map { column in
      switch RecordRow.type(of: column) {
      case .instant: "encode(timestamptz_send(\(column)), 'hex')"
      case .text, .numeric, .json: "\(column)::text"
      }
    }
    let rows = try await rows([.int(id)]) { schema in
      """
      SELECT content_hash, \(selected.joined(separator: ", ")) FROM \(schema.qualified("maven_decisions"))
      WHERE id = $1
      """
    }
    guard let row = rows.first else { return nil }
    let values = try columns.enumerated().map { index, column in
      RecordRow.value(try row.optionalString(index + 1), of: column)
    }
    return (RecordRow(kind: .decision, values: values), try row.optionalBytes(0) ?? [])
  }
}

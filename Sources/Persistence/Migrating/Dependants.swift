internal import Postgres

/// What users built on the objects that a migration drops or changes: taken down before it, put back after it, in the
/// migration's transaction, with owner, grants, comments and options.
///
/// Views, materialized views with their indexes, functions and procedures, rules, triggers, policies, indexes and
/// constraints are put back. Materialized views are filled anew where they were filled. Anything else that depends on
/// such an object ends the migration before it changed anything, by name.
struct Dependants: ~Copyable {
  private var pieces: [Piece] = []
  private var seen: Set<CatalogObject> = []

  /// Takes down everything that depends on a column whose type is to change. Indexes, constraints and statistics stay:
  /// the server makes them anew by itself.
  mutating func takeDown(onTypeOf column: CatalogObject, _ transaction: borrowing Transaction) throws {
    for dependant in try dependants(of: column, transaction) {
      switch dependant.kind {
      case .index, .constraint, .statistics, .sequence: continue
      case .generatedColumn: try takeDownGenerated(dependant, for: column, transaction)
      default: try takeDown(dependant, for: column, transaction)
      }
    }
  }

  /// Takes down everything that depends on an object that is to be dropped.
  mutating func takeDown(on object: CatalogObject, _ transaction: borrowing Transaction) throws {
    for dependant in try dependants(of: object, transaction) {
      try takeDown(dependant, for: object, transaction)
    }
  }

  /// Takes down a view on `base`, by its number, and what depends on it.
  mutating func takeDown(view: Int64, of base: CatalogObject, _ transaction: borrowing Transaction) throws {
    for dependant in try dependants(of: base, transaction)
    where dependant.kind == .view && dependant.object.id == view {
      try takeDown(dependant, for: base, transaction)
    }
  }

  /// Takes down the views, functions and rules of others on a table whose place another object takes.
  mutating func takeDown(readersOf table: CatalogObject, _ transaction: borrowing Transaction) throws {
    for dependant in try CatalogDependant.all(of: table, withOwnParts: false, transaction) {
      switch dependant.kind {
      case .view, .materializedView, .function, .rule: try takeDown(dependant, for: table, transaction)
      default: continue
      }
    }
  }

  /// Makes everything again, what others build on first.
  ///
  /// - Throws: `PersistenceError` that names the object that could not be made again.
  consuming func putBack(_ transaction: borrowing Transaction) throws {
    guard !pieces.isEmpty else { return }
    // A function's body may name what comes back after it.
    try transaction.script("SET LOCAL check_function_bodies = off")
    for piece in pieces.reversed() {
      do {
        try piece.putBack(transaction)
      } catch let error as PostgresError {
        throw Dependants.refusal(
          "the \(piece.name) cannot be made again as it was after the migration (\(error.message))", error: error,
          hint: "keep its definition, remove it, run `moha-sync migrate`, and make it again in a form that fits")
      }
    }
    try transaction.script("SET LOCAL check_function_bodies = on")
  }

  // MARK: Taking down

  private mutating func takeDown(
    _ dependant: CatalogDependant, for base: CatalogObject, _ transaction: borrowing Transaction
  ) throws {
    guard seen.insert(dependant.object).inserted else { return }
    guard dependant.canBePutBack else { throw Dependants.blocked(dependant, by: base) }
    // What depends on a view may depend on its row type instead.
    for own in [dependant.object] + dependant.rowTypes {
      for further in try CatalogDependant.all(of: own, withOwnParts: false, transaction) {
        try takeDown(further, for: dependant.object, transaction)
      }
    }
    let piece = try Piece(dependant, transaction)
    do {
      try transaction.script(piece.removal)
    } catch let error {
      throw Dependants.refusal(
        "the \(dependant.name) depends on what the migration changes, and could not be put aside (\(error.message))",
        error: error, hint: "run `moha-sync migrate` as the owner of both, or as a superuser")
    }
    pieces.append(piece)
  }

  /// A generated column is worth what it is computed from: ours are made again by their migrations.
  private mutating func takeDownGenerated(
    _ dependant: CatalogDependant, for column: CatalogObject, _ transaction: borrowing Transaction
  ) throws {
    guard let table = dependant.table, let name = dependant.column, seen.insert(dependant.object).inserted else {
      return
    }
    switch name {
    case "search_vector":
      try transaction.script("ALTER TABLE \(table) ALTER COLUMN search_vector DROP EXPRESSION")
    case "content_hash":
      try takeDown(on: dependant.object, transaction)
      try transaction.script("ALTER TABLE \(table) DROP COLUMN content_hash")
    default: throw Dependants.blocked(dependant, by: column)
    }
  }

  private func dependants(
    of object: CatalogObject, _ transaction: borrowing Transaction
  ) throws -> [CatalogDependant] {
    try CatalogDependant.all(of: object, withOwnParts: true, transaction)
  }

  private static func blocked(_ dependant: CatalogDependant, by base: CatalogObject) -> PersistenceError {
    PersistenceError(
      .dependentObject,
      "the \(dependant.name) depends on the \(base.name), which this migration has to change: nothing was changed",
      hint: "keep its definition, remove it, run `moha-sync migrate`, and make it again")
  }

  private static func refusal(_ message: String, error: PostgresError, hint: String) -> any Error {
    // A connection that broke, or a cancelled run, says nothing about the object.
    if error.isTransient || error.code == .cancelled || error.code == .connectionLost { return error }
    return PersistenceError(.dependentObject, "\(message): nothing was changed", hint: hint)
  }
}

extension Dependants {
  /// One object that was taken down: how it is removed, and how it is made again.
  private struct Piece {
    let name: String
    private(set) var removal = ""
    /// What makes it, in order; left out where the migration itself made something of its name.
    private var creation: [String] = []
    private var finish: [String] = []
    private let access: CatalogAccess?

    init(_ dependant: CatalogDependant, _ transaction: borrowing Transaction) throws {
      name = dependant.name
      access = try CatalogAccess(of: dependant, transaction)
      for row in try transaction.query(dependant.kind.capture, [.int(dependant.object.id)]) {
        let statement = try row.string(1)
        switch try row.string(0) {
        case "remove": removal = statement
        case "create": creation.append(statement)
        default: finish.append(statement)
        }
      }
    }

    func putBack(_ transaction: borrowing Transaction) throws {
      if try access?.exists(transaction) != true {
        for statement in creation { try transaction.script(statement) }
      }
      for statement in finish { try transaction.script(statement) }
      try access?.restore(transaction)
    }
  }
}

internal import Persistence
internal import Records

/// Reads the arguments of a call and collects what is wrong with them, every fault and not only the first.
struct ToolArguments {
  /// Arguments that do not fit, in words for the caller.
  struct Fault: Error {
    let message: String
  }

  private let tool: MavenTool
  private var members: [JSONValue.Member] = []
  private var known: Set<JSONString> = []
  private var faults: [String] = []

  init(_ arguments: JSONValue, of tool: MavenTool) {
    self.tool = tool
    if case .object(let members) = arguments {
      self.members = members
    } else if arguments != .null {
      faults.append("the arguments must be an object")
    }
  }

  mutating func fault(_ text: String) {
    faults.append(text)
  }

  mutating func bool(_ name: JSONString, default value: Bool) -> Bool {
    switch self.value(name) {
    case nil: return value
    case .bool(let value)?: return value
    default:
      faults.append("\(name) must be true or false")
      return value
    }
  }

  mutating func text(_ name: JSONString) -> String? {
    guard let value = value(name) else { return nil }
    if value.text == nil { faults.append("\(name) must be a text of valid Unicode") }
    return value.text
  }

  mutating func integer(_ name: JSONString, in range: ClosedRange<Int>, default value: Int) -> Int {
    guard let given = self.value(name) else { return value }
    guard let number = given.integer, range.contains(number) else {
      faults.append("\(name) must be an integer from \(range.lowerBound) to \(range.upperBound)")
      return value
    }
    return number
  }

  /// A list of words of an enumeration; nil where none is given.
  mutating func choices<Choice: RawRepresentable & CaseIterable>(
    _ name: JSONString, _ type: Choice.Type
  ) -> [Choice]? where Choice.RawValue == String {
    guard let value = value(name) else { return nil }
    guard case .array(let elements) = value else {
      faults.append("\(name) must be a list")
      return nil
    }
    let choices = elements.compactMap { $0.text.flatMap { Choice(rawValue: $0) } }
    if choices.count != elements.count {
      faults.append("\(name) takes \(Choice.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    return choices.isEmpty ? nil : choices
  }

  /// Throws where anything was wrong, or an argument is left that the tool does not have.
  func finish() throws {
    let unknown = members.map(\.key).filter { !known.contains($0) }.map { "\($0) is no argument of \(tool.rawValue)" }
    let all = faults + unknown
    guard all.isEmpty else { throw Fault(message: all.joined(separator: "; ")) }
  }

  private mutating func value(_ name: JSONString) -> JSONValue? {
    known.insert(name)
    let found = members.filter { $0.key == name }
    if found.count > 1 { faults.append("\(name) is given twice") }
    guard let value = found.last?.value, value != .null else { return nil }
    return value
  }
}

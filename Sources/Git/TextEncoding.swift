internal import Glibc

/// An encoding that the attribute `working-tree-encoding` names: the file has it, and git stores UTF-8.
///
/// As git does it (gitattributes(5)): `UTF-16` and `UTF-32` need a byte order mark, their `LE` and `BE` forms must not
/// have one, and `UTF-16LE-BOM` is written with one, and read as its mark says, if there is one.
struct TextEncoding {
  private let name: String
  /// Iconv's own names.
  private let source: String
  private let target: String
  private let marks: [[UInt8]]
  private let needsMark: Bool
  private let acceptsAnyMark: Bool
  private let writtenMark: [UInt8]

  init(_ name: String) {
    self.name = name
    let folded = name.uppercased().replacing("UTF16", with: "UTF-16").replacing("UTF32", with: "UTF-32")
    let wide: [String: [[UInt8]]] = [
      "UTF-16": [[0xFE, 0xFF], [0xFF, 0xFE]], "UTF-32": [[0, 0, 0xFE, 0xFF], [0xFF, 0xFE, 0, 0]],
    ]
    let family = folded.hasPrefix("UTF-16") ? "UTF-16" : folded.hasPrefix("UTF-32") ? "UTF-32" : nil
    marks = family.flatMap { wide[$0] } ?? []
    needsMark = folded == "UTF-16" || folded == "UTF-32"
    acceptsAnyMark = folded == "UTF-16LE-BOM"
    source = acceptsAnyMark ? "UTF-16" : family == nil ? name : folded
    target = acceptsAnyMark ? "UTF-16LE" : source
    writtenMark = acceptsAnyMark ? [0xFF, 0xFE] : []
  }

  /// The UTF-8 of a file's bytes. Throws `.encoding`.
  func decode(_ bytes: [UInt8], _ path: GitPath) throws(GitError) -> [UInt8] {
    guard !bytes.isEmpty else { return bytes }
    let hasMark = marks.contains { bytes.starts(with: $0) }
    guard marks.isEmpty || acceptsAnyMark || hasMark == needsMark else {
      throw failure(path, "a byte order mark is \(needsMark ? "missing" : "not allowed")")
    }
    // Iconv takes the mark of the undecided forms itself.
    return try convert(bytes, from: source, to: "UTF-8", path)
  }

  /// The file's bytes for stored UTF-8. Throws `.encoding` for what the encoding cannot say.
  func encode(_ bytes: [UInt8], _ path: GitPath) throws(GitError) -> [UInt8] {
    guard !bytes.isEmpty else { return bytes }
    return try writtenMark + convert(bytes, from: "UTF-8", to: target, path)
  }

  private func convert(
    _ bytes: [UInt8], from source: String, to target: String, _ path: GitPath
  ) throws(GitError) -> [UInt8] {
    let descriptor = unsafe iconv_open(target, source)
    // (iconv_t) -1: the system does not know one of the names.
    guard Int(bitPattern: descriptor) != -1 else { throw failure(path, "this system does not know it") }
    defer { _ = unsafe iconv_close(descriptor) }
    var input = bytes.map { CChar(bitPattern: $0) }
    var output: [UInt8] = []
    var chunk = [CChar](repeating: 0, count: 64 << 10)
    let isWhole = unsafe input.withUnsafeMutableBufferPointer { input in
      unsafe chunk.withUnsafeMutableBufferPointer { chunk in
        var next = input.baseAddress
        var left = input.count
        while left > 0 {
          var end = chunk.baseAddress
          var room = chunk.count
          let status = unsafe iconv(descriptor, &next, &left, &end, &room)
          let failure = errno
          unsafe output.append(contentsOf: UnsafeRawBufferPointer(start: chunk.baseAddress, count: chunk.count - room))
          // (size_t) -1, which Swift imports as a signed number: an error. A full buffer is none.
          if status == -1, failure != E2BIG { return false }
        }
        // Encodings with shift states end in the first one.
        var end = chunk.baseAddress
        var room = chunk.count
        guard unsafe iconv(descriptor, nil, nil, &end, &room) != -1 else { return false }
        unsafe output.append(contentsOf: UnsafeRawBufferPointer(start: chunk.baseAddress, count: chunk.count - room))
        return true
      }
    }
    guard isWhole else { throw failure(path, "byte sequences of it are malformed") }
    return output
  }

  private func failure(_ path: GitPath, _ reason: String) -> GitError {
    GitError(.encoding, operation: "convert \(path) from \(name)", message: reason)
  }
}

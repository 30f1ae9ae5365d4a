internal import CLibGit2
internal import Glibc

/// How git stores the bytes of working-tree files: line ends, keywords and encodings are converted, and filters are
/// programs.
///
/// A file is compared by what git would store for it, or a clean checkout with converted line ends would look changed
/// from its first byte to its last. The conversions that git does itself are done here too (line ends and `$Id$` by the
/// library, `working-tree-encoding` by iconv); the program of a filter is never run, since a repository could name any,
/// so what goes through one cannot be known here.
///
/// Sources: gitattributes(5) for which attribute means what.
struct ContentConversion {
  /// What git does with one file's bytes.
  enum Form: Hashable {
    case asIs
    /// Line ends or keywords; and then, from this encoding, to UTF-8.
    case converted(encoding: String?)
    /// Through the filter of this name.
    case filtered(String)
  }

  /// True if any configuration or attribute in sight could ask for a conversion. Grows while a walk finds attribute
  /// files; without one nothing has to be looked up for each file.
  private(set) var isPossible: Bool
  /// Where git's index is.
  private let index: [UInt8]
  /// The folder, or the file, that is asked about.
  private let subject: GitPath

  /// Looks where git would look, except for attribute files below the folder walked.
  ///
  /// - Parameters:
  ///   - folder: where to begin to look for attribute files, upwards.
  ///   - subject: the folder, or the file, that is asked about.
  ///   - index: the path of git's index.
  ///   - tracksAttributes: whether the index, or a commit, holds a file named `.gitattributes`: git reads it from there
  ///     where the working tree lacks it.
  init(
    above folder: GitPath, of subject: GitPath, index: [UInt8], tracksAttributes: Bool, _ workTree: borrowing WorkTree,
    commonDirectory: [UInt8], _ repository: borrowing RepositoryHandle
  ) throws(GitError) {
    self.index = index
    self.subject = subject
    isPossible = tracksAttributes
    if !isPossible { isPossible = try repository.configuresConversion(commonDirectory) }
    var parent: GitPath? = folder
    while let ancestor = parent, !isPossible {
      if (try? workTree.open(ancestor.appending(".gitattributes".utf8).bytes, flags: moha_o_path)) != nil {
        isPossible = true
      }
      parent = ancestor.parent
    }
    if isPossible { try repository.lendIndex(CheckoutIndex(at: index, below: .root), of: subject) }
  }

  /// Takes note of an attribute file in the working tree.
  mutating func foundAttributes(_ repository: borrowing RepositoryHandle) throws(GitError) {
    if isPossible { return }
    try repository.lendIndex(CheckoutIndex(at: index, below: .root), of: subject)
    isPossible = true
  }

  /// What git does with the file at `path`.
  func form(of path: GitPath, _ repository: borrowing RepositoryHandle) throws(GitError) -> Form {
    guard isPossible else { return .asIs }
    if case .text(let name)? = try repository.attribute("filter", of: path) { return .filtered(name) }
    var encoding: String?
    if case .text(let name)? = try repository.attribute("working-tree-encoding", of: path),
      !["utf-8", "utf8"].contains(name.lowercased())
    {
      encoding = name
    }
    if encoding == nil, try !repository.hasConversion(path) { return .asIs }
    return .converted(encoding: encoding)
  }

  /// What git would store for `bytes` of the file at `path`. Throws `.encoding` where they are not in the encoding named.
  static func stored(
    _ bytes: [UInt8], at path: GitPath, _ form: Form, _ repository: borrowing RepositoryHandle
  ) throws(GitError) -> [UInt8] {
    guard case .converted(let encoding) = form else { return bytes }
    let text = if let encoding { try TextEncoding(encoding).decode(bytes, path) } else { bytes }
    return try repository.convert(text, at: path, GIT_FILTER_TO_ODB)
  }

  /// What git would write to the working tree for the stored `bytes` of the file at `path`.
  static func checkedOut(
    _ bytes: [UInt8], at path: GitPath, _ form: Form, _ repository: borrowing RepositoryHandle
  ) throws(GitError) -> [UInt8] {
    guard case .converted(let encoding) = form else { return bytes }
    let text = try repository.convert(bytes, at: path, GIT_FILTER_TO_WORKTREE)
    return if let encoding { try TextEncoding(encoding).encode(text, path) } else { text }
  }
}

/// The value of an attribute; an unspecified one has none.
enum AttributeValue: Hashable {
  case isTrue
  case isFalse
  case text(String)
}

extension RepositoryHandle {
  /// Reads one boolean of the configuration; `fallback` if it is not set. A value that is no boolean counts as true.
  borrowing func configuration(_ name: String, fallback: Bool) throws(GitError) -> Bool {
    unsafe try withConfigurationSnapshot { (configuration) throws(GitError) in
      var value: Int32 = 0
      let status = unsafe git_config_get_bool(&value, configuration, name)
      git_error_clear()
      if status == GIT_ENOTFOUND.rawValue { return fallback }
      return status < 0 || value != 0
    }
  }

  /// Whether configuration, or an attribute file outside of the working tree, could ask for a conversion.
  fileprivate borrowing func configuresConversion(_ commonDirectory: [UInt8]) throws(GitError) -> Bool {
    if try configuration("core.autocrlf", fallback: false) { return true }
    if try configuration("core.attributesfile", fallback: false) { return true }
    var files = [commonDirectory + Array("/info/attributes".utf8)]
    // Where the library itself looks: the machine's file, and the user's where `core.attributesFile` names no other.
    for (level, name) in [(GIT_CONFIG_LEVEL_SYSTEM, "gitattributes"), (GIT_CONFIG_LEVEL_XDG, "attributes")] {
      for folder in Library.searchPath(level) { files.append(folder + Array("/\(name)".utf8)) }
    }
    for file in files {
      let exists = try unsafe CStrings.withCString(file) { (file) throws(GitError) in unsafe access(file, F_OK) == 0 }
      if exists { return true }
    }
    return false
  }

  /// Gives the library what it asks git's index for: attribute files, and whether the files of `subject` hold carriage
  /// returns already.
  ///
  /// The library cannot read an index that is split or sparse, or has no checksum, and then finds no attribute at all: a
  /// file that belongs to a filter would be stored as it is. So it never reads one itself.
  fileprivate borrowing func lendIndex(_ index: CheckoutIndex, of subject: GitPath) throws(GitError) {
    let operation = "look up attributes"
    unsafe try withPointer { (repository) throws(GitError) in
      var lent: OpaquePointer?
      try check(unsafe git_index_new(&lent), operation)
      defer { unsafe git_index_free(lent) }
      if let file = index.file {
        for position in 0..<file.count {
          let (path, entry) = (GitPath(Array(file.path(at: position))), file.entry(at: position))
          guard entry.stage == 0, let mode = FileMode(rawMode: entry.mode), mode.isBlob,
            path.lastComponent.elementsEqual(".gitattributes".utf8) || path == subject || path.isInside(subject)
          else { continue }
          try unsafe CStrings.withCString(path.bytes) { (path) throws(GitError) in
            var added = unsafe git_index_entry()
            unsafe added.mode = entry.mode
            unsafe added.id = entry.id.oid
            unsafe added.path = path
            try check(unsafe git_index_add(lent, &added), operation)
          }
        }
      }
      try check(unsafe git_repository_set_index(repository, lent), operation)
    }
  }

  /// The value that the attribute files give `path`; nil for none.
  borrowing func attribute(_ name: String, of path: GitPath) throws(GitError) -> AttributeValue? {
    unsafe try withPointer { (repository) throws(GitError) in
      try unsafe CStrings.withCString(path.bytes) { (path) throws(GitError) in
        var value: UnsafePointer<CChar>?
        try check(unsafe git_attr_get(&value, repository, 0, path, name), "read the attributes of a file")
        switch unsafe git_attr_value(value) {
        case GIT_ATTR_VALUE_TRUE: return .isTrue
        case GIT_ATTR_VALUE_FALSE: return .isFalse
        case GIT_ATTR_VALUE_STRING: return unsafe value.map { unsafe .text(String(cString: $0)) }
        default: return nil
        }
      }
    }
  }

  /// Whether the library has a conversion of its own for `path`.
  fileprivate borrowing func hasConversion(_ path: GitPath) throws(GitError) -> Bool {
    unsafe try withFilters(path, GIT_FILTER_TO_ODB) { (filters) throws(GitError) in unsafe filters != nil }
  }

  fileprivate borrowing func convert(
    _ bytes: [UInt8], at path: GitPath, _ direction: git_filter_mode_t
  ) throws(GitError) -> [UInt8] {
    unsafe try withFilters(path, direction) { (filters) throws(GitError) in
      guard let filters = unsafe filters, !bytes.isEmpty else { return bytes }
      var output = unsafe git_buf()
      defer { unsafe git_buf_dispose(&output) }
      let status = unsafe bytes.withUnsafeBytes { bytes in
        unsafe git_filter_list_apply_to_buffer(
          &output, filters, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
      }
      try check(status, "convert \(path)")
      return unsafe Array(UnsafeRawBufferPointer(start: output.ptr, count: output.size))
    }
  }

  /// Lends the library's list of conversions, which holds no program; nil if there is none for `path`.
  private borrowing func withFilters<R>(
    _ path: GitPath, _ direction: git_filter_mode_t, _ body: (OpaquePointer?) throws(GitError) -> R
  ) throws(GitError) -> R {
    unsafe try withPointer { (repository) throws(GitError) in
      try unsafe CStrings.withCString(path.bytes) { (name) throws(GitError) in
        var filters: OpaquePointer?
        // Line ends that could not be restored are git's warning to a person at a terminal, not a failure.
        let status = unsafe git_filter_list_load(
          &filters, repository, nil, name, direction, GIT_FILTER_ALLOW_UNSAFE.rawValue)
        try check(status, "look up the conversions of \(path)")
        defer { unsafe git_filter_list_free(filters) }
        return try unsafe body(filters)
      }
    }
  }
}

internal import CLibGit2

/// One object's bytes (`git_odb_object`), inflated, for as long as the value lives.
///
/// `@safe`: the pointer is private and freed once by `deinit`; `bytes` is marked unsafe, since it must not
/// outlive the value.
@safe struct ObjectData: ~Copyable {
  private let pointer: OpaquePointer

  /// Takes over the reference that the library returned.
  init(owning pointer: OpaquePointer) {
    unsafe self.pointer = unsafe pointer
  }

  deinit {
    unsafe git_odb_object_free(pointer)
  }

  var type: ObjectType? { unsafe ObjectType(git_odb_object_type(pointer)) }

  /// Valid until the value is destroyed.
  @unsafe var bytes: UnsafeRawBufferPointer {
    unsafe UnsafeRawBufferPointer(start: git_odb_object_data(pointer), count: git_odb_object_size(pointer))
  }

  /// Lends the bytes for the length of the call.
  borrowing func withBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
    unsafe try body(bytes)
  }
}

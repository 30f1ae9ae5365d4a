/// An object of a commit that is being made, with its bytes, so that it can be written again.
struct NewObject {
  /// The name that the bytes have.
  let id: ObjectID
  let type: ObjectType
  let bytes: [UInt8]
}

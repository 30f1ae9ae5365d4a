internal import Glibc

/// Negative, zero or positive as `left` sorts before, with or after `right`, byte by byte, shorter first.
func compareBytes(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
  if let leftBase = left.baseAddress, let rightBase = right.baseAddress {
    let order = unsafe memcmp(leftBase, rightBase, min(left.count, right.count))
    if order != 0 { return Int(order) }
  }
  return left.count - right.count
}

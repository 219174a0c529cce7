/// The bytes of execute-in-place memory, read by frame number.
struct ErofsImageSource: ErofsSource {
  let image: Image

  var byteCount: Int { image.byteCount }

  func read(at offset: Int, count: Int) throws(ErofsError) -> [UInt8] {
    do {
      return try image.read(at: offset, count: count)
    } catch {
      throw .unreadable(offset: offset, count: count)
    }
  }
}

import CPlatform

/// A file becomes longer, and a thread that knows of the new length reads the new page: it is there.
///
/// The kernel orders nothing here. The length that the object publishes must.
///
/// - Parameter isOtherProgram: whether another program makes the file longer, and this one asks for the length.
func readAgainstGrowth(_ engine: PinEngine, isOtherProgram: Bool) {
  let setting = Setting(engine: engine)
  let descriptor = mm_new_file_of(Page.size)
  let file = try! DirectFile(owning: descriptor, transfers: .calls)
  let pfn = try! setting.memory.allocateFrame(.mayReclaim)
  let bytes = setting.memory.frames.bytes(of: pfn)
  inParallel(
    {
      if isOtherProgram {
        check(mm_ftruncate(descriptor, 2 * Page.size) == 0, "no file")
        try! file.refreshByteCount()
      } else {
        try! file.setByteCount(2 * Page.size)
      }
    },
    {
      guard file.byteCount > Page.size else { return }
      do throws(PageError) {
        try file.read(from: 1, into: LentPages([bytes], isWritable: true))
      } catch {
        check(false, "a file has lost a page that it has")
      }
    })
  check(file.byteCount == 2 * Page.size, "a file has another length")
  setting.memory.discardFrame(pfn)
  setting.end()
}

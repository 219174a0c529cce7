/// Where anonymous pages go that are advised out of memory (`advise(at:pages:_:)` with `pageOut`), and how many have room:
/// what `swapon(2)` is told.
///
/// The contents are no data to keep: they mean nothing to another machine, and are overwritten without asking.
public struct SwapFile: Equatable, Sendable {
  /// How many pages of 4096 bytes have room.
  public let pages: Int
  /// The real file; nil for a temporary one without a name.
  public let path: String?

  /// No room at all: no page ever leaves memory.
  public static let none = SwapFile(pages: 0, path: nil)

  /// A file without a name in `$TMPDIR`, else in `/var/tmp`; made when the first page goes there, and gone with the machine.
  /// It takes as much disk as pages have been out at once.
  public static func temporary(pages: Int) -> SwapFile { SwapFile(pages: pages, path: nil) }

  /// The real file at `path`, made where there is none, opened and locked with the machine; it stays when the machine goes.
  ///
  /// One machine at a time may use it, of this process or another: for a second one `PhysicalMemory.init` throws `busy`.
  public static func file(at path: String, pages: Int) -> SwapFile { SwapFile(pages: pages, path: path) }
}

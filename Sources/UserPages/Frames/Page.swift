/// The sizes of pages, in bytes unless said otherwise.
public enum Page {
  /// 4 KiB.
  public static let size = 4096
  public static let shift = 12
  /// 2 MiB: what one entry of the second-lowest level may map.
  public static let hugeSize = 2 << 20
  public static let hugeShift = 21
  /// Pages in a huge page.
  public static let pagesPerHuge = 512
}

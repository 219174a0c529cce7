/// How a machine gets frames back when few are free (the settings of Linux under "vm": the least of free memory, and
/// swappiness).
public struct ReclaimPolicy: Equatable, Sendable {
  /// How many frames are few, or nil for what suits the machine's size.
  public var watermarks: Watermarks?
  /// Whether a background thread reclaims below the low watermark (kswapd). It begins with the first need, and ends
  /// with the machine.
  public var usesBackgroundThread: Bool
  /// Whether an allocation that finds no frame may swap anonymous memory and memory files out. `reclaim(pages:)` does
  /// so in either case.
  public var swapsForAllocations: Bool

  /// A policy. By default an allocation may take everything that can be freed.
  public init(watermarks: Watermarks? = nil, usesBackgroundThread: Bool = true, swapsForAllocations: Bool = true) {
    self.watermarks = watermarks
    self.usesBackgroundThread = usesBackgroundThread
    self.swapsForAllocations = swapsForAllocations
  }
}

/// Numbers of free frames at which reclaim begins and ends (a zone's watermarks).
public struct Watermarks: Equatable, Sendable {
  /// The last frames, which only a thread that reclaims may have.
  public var min: Int
  /// Below this the background thread begins.
  public var low: Int
  /// Here it ends.
  public var high: Int

  /// No reserve and no background reclaim: an allocation that finds nothing free reclaims.
  public static let none = Watermarks(min: 0, low: 0, high: 0)

  /// Watermarks with `min <= low <= high`. `PhysicalMemory.init` refuses others.
  public init(min: Int, low: Int, high: Int) {
    self.min = min
    self.low = low
    self.high = high
  }

  /// What suits a machine. Below 64 MiB it is none. Else it is a reserve of 1/1024 of RAM, and up to 1/256 of RAM free,
  /// at most 64 MiB.
  init(ramPages: Int) {
    if ramPages < 1 << 14 {
      self = .none
    } else {
      let unit = Swift.min(ramPages / 1024, 1 << 12)
      self.init(min: unit, low: 2 * unit, high: 4 * unit)
    }
  }

  /// Whether a machine of `ramPages` can have them.
  func areSound(for ramPages: Int) -> Bool { 0 <= min && min <= low && low <= high && high < ramPages }
}

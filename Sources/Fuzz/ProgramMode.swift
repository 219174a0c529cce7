/// A kind of memory, or of change, that programs are about. Programs without a mode have a little of each.
public enum ProgramMode: String, CaseIterable, Sendable {
  /// Files on a disk that change: cuts, holes, write-back.
  case disk
  /// The same with two files, one on a disk and one in memory.
  case files
  /// Private and shared memory, and files, that are paged out. The kernel pages memory out to swap alone.
  case swap
  /// 2 MiB entries. Their parts get another protection, move and go.
  case huge
  /// Mappings put over others.
  case overlap
  /// Forks of forks of forks.
  case forks
  /// Pins of many pages, some of which cannot be pinned.
  case pins
  /// Memory mapped by frame number, as a device's is.
  case pfn
  /// Forks, short pins for reading, and how many entries then map the page: such a pin unshares it.
  case unshare
  /// Long-term pins for reading.
  case longterm

  /// Why this machine has no such memory; nil if it has.
  ///
  /// - Parameter oracle: the machine's kernel.
  public func whyMissing(_ oracle: KernelOracle) -> String? {
    switch self {
    case .disk, .files: oracle.missingWords["diskfile"]
    case .swap: oracle.missingEffects["swap"]
    case .huge: oracle.missingEffects["huge"]
    case .unshare: oracle.missingEffects["frame"]
    case .pfn: oracle.missingWords["image"] ?? oracle.missingWords["device"]
    case .longterm: oracle.missingWords[KernelOracle.longTermReads]
    case .overlap, .forks, .pins: nil
    }
  }
}

import Glibc
import UserPages

/// Makes a database: every balance zero, one empty row of history. It comes into being whole, under its own name only
/// once every page is on the disk, so that a load that fails leaves nothing behind that looks like a database.
struct Loader {
  static let pagesPerWrite = 256

  let path: String
  let geometry: Geometry

  func load(progress: (Int) -> Void) throws(Failure) {
    let name = path + ".new"
    let file = try PlainFile(path: name, flags: O_RDWR | O_CREAT | O_TRUNC)
    do throws(Failure) {
      try writePages(to: file, progress: progress)
      try file.synchronize()
      if rename(name, path) != 0 { throw Failure("rename", name, errno: errno) }
    } catch {
      unlink(name)
      throw error
    }
  }

  private func writePages(to file: PlainFile, progress: (Int) -> Void) throws(Failure) {
    let chunk = AlignedMemory(pages: Self.pagesPerWrite)
    var page = 0
    let end = geometry.historyStart + 1
    while page < end {
      let count = min(Self.pagesPerWrite, end - page)
      for index in 0..<count { format(page + index, at: chunk.address + index * Page.size) }
      let bytes = UnsafeRawBufferPointer(start: chunk.address, count: count * Page.size)
      try file.write(bytes, at: page * Page.size)
      page += count
      progress(page * 100 / end)
    }
  }

  private func format(_ page: Int, at address: UnsafeMutableRawPointer) {
    switch geometry.kind(of: page) {
    case .superblock: Superblock(scale: geometry.scale).encode(into: address)
    case .history: Self.firstHistoryPage(of: geometry, carried: 0, sequence: 0, at: address)
    case let kind:
      PageHeader.format(address, kind: kind, number: page)
      let rows = geometry.loadedRows(in: page)
      for slot in 0..<rows { row(slot, of: page, kind).write(to: address + RowLocation(page: page, slot: slot).offset) }
      address.storeBytes(of: UInt64(rows), toByteOffset: PageHeader.rowsOffset, as: UInt64.self)
      PageHeader.seal(address)
    }
  }

  private func row(_ slot: Int, of page: Int, _ kind: PageKind) -> Row {
    switch kind {
    case .tellers:
      let teller = (page - geometry.tellerStart) * Geometry.rowsPerPage + slot
      return Row(number: teller, branch: teller / Geometry.tellersPerBranch)
    case .accounts:
      let account = (page - geometry.accountStart) * Geometry.rowsPerPage + slot
      return Row(number: account, branch: account / Geometry.accountsPerBranch)
    default:
      let branch = (page - 1) * Geometry.rowsPerPage + slot
      return Row(number: branch, branch: branch)
    }
  }

  /// The history of a run begins with one row that carries the sum of all earlier history forward.
  static func firstHistoryPage(
    of geometry: Geometry, carried: Int64, sequence: UInt64, at address: UnsafeMutableRawPointer
  ) {
    PageHeader.format(address, kind: .history, number: geometry.historyStart)
    Row(teller: 0, branch: 0, account: 0, amount: carried, time: 0).write(to: address + PageHeader.size)
    address.storeBytes(of: sequence, toByteOffset: PageHeader.sequenceOffset, as: UInt64.self)
    address.storeBytes(of: 1, toByteOffset: PageHeader.rowsOffset, as: UInt64.self)
    PageHeader.seal(address)
  }
}

import Measuring
import UserPages

/// Makes a database: every balance zero, one empty row of history.
///
/// The file is locked and keeps its name and its inode from the first byte on: a second process that creates the same
/// database meets the lock. The superblock says `loading` until every page is on the disk, so a load that was killed
/// begins again.
struct Loader {
  static let pagesPerWrite = 256

  let file: LockedFile
  let geometry: Geometry

  /// Loads the database. If that fails, the file is as empty as it was, or gone if this process created it.
  func load(progress: (Int) -> Void) throws(Failure) {
    do throws(Failure) {
      var superblock = Superblock(scale: geometry.scale)
      try superblock.write(to: file)
      try writePages(progress: progress)
      try file.truncate(to: (geometry.historyStart + 1) * Page.size)
      try file.synchronize()
      superblock.state = .clean
      try superblock.write(to: file)
      try file.synchronize()
      try file.synchronizeDirectory()
    } catch {
      try? file.truncate(to: 0)
      if file.isNew { file.remove() }
      throw error
    }
  }

  private func writePages(progress: (Int) -> Void) throws(Failure) {
    let chunk = AlignedMemory(pages: Self.pagesPerWrite)
    var page = 1
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
    case .history: Self.firstHistoryPage(of: geometry, carried: 0, lsn: 0, at: address)
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
    of geometry: Geometry, carried: Int64, lsn: UInt64, at address: UnsafeMutableRawPointer
  ) {
    PageHeader.format(address, kind: .history, number: geometry.historyStart)
    Row(teller: 0, branch: 0, account: 0, amount: carried, time: 0).write(to: address + PageHeader.size)
    address.storeBytes(of: lsn, toByteOffset: PageHeader.lsnOffset, as: UInt64.self)
    address.storeBytes(of: 1, toByteOffset: PageHeader.rowsOffset, as: UInt64.self)
    PageHeader.seal(address)
  }
}

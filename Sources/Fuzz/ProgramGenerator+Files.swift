import Scenario

/// Steps that read, write, cut and lengthen files.
extension ProgramGenerator {
  mutating func addFileStep() {
    guard let index = model.files.indices.randomElement(using: &random) else { return }
    let file = model.files[index]
    // Mostly inside the file, sometimes beyond its end.
    let page = Int.random(in: 0..<(random.chance(85) ? max(file.pages, 1) : Self.mostFilePages), using: &random)
    let offset = page * 4096 + Int(offsetInPage())
    switch random.pick([(2, 0), (5, 1), (5, 2), (4, 3), (file.isOnDisk ? 3 : 0, 4)]) {
    case 0: add(.access(.readFile(name: file.name, offset: offset, count: Int.random(in: 1...20, using: &random))))
    case 1:
      let bytes = bytes()
      let end = offset + bytes.bytes.count
      let longest = collapsesShared ? file.byteCount : Self.mostFilePages * 4096
      guard end <= longest, mayEnd(file, at: max(end, file.byteCount)) else { return }
      add(.access(.writeFile(name: file.name, offset: offset, bytes)))
      model.files[index].byteCount = max(end, file.byteCount)
    case 2:
      if collapsesShared { return }
      let byteCount = self.byteCount(file)
      guard mayEnd(file, at: byteCount) else { return }
      add(.file(.truncate(name: file.name, byteCount: byteCount)))
      model.files[index].byteCount = byteCount
    case 3:
      // It does not compare if a pin may hold 2 MiB.
      if collapsesShared, !model.pins.isEmpty { return }
      add(.file(.punch(name: file.name, page: page, pages: random.pick([(6, 1), (3, 2), (1, 4), (1, 0)]))))
    default:
      add(.file(.sync(name: file.name)))
      if random.chance(50) { add(.file(.onDisk(name: file.name, offset: offset, count: 12))) }
    }
  }

  /// Maps each file whole, and a page beyond its end, into the space that was made last.
  mutating func addFileMaps() {
    let index = model.spaces.count - 1
    for (place, file) in model.files.enumerated() {
      let start = place * Self.mostFilePages
      let count = min(file.pages + 1, Self.mostFilePages)
      let canShare = file.isOnDisk || !pagesOut || pagesOutShared
      let page = ProgramModel.MappedPage(
        permission: random.pick([(4, .readWrite), (1, .read)]),
        sharing: canShare && random.chance(65) ? .shared : .private, file: (file.name, 0))
      let range = PageRange(address: model.address(start), pages: count)
      add(
        .space(
          .map(
            MapStatement(
              space: model.spaces[index].name, range: range, permission: page.permission, sharing: page.sharing,
              backing: .file(file.name)))))
      model.spaces[index].map(start, count, page, from: 0)
    }
  }

  /// A length to cut or stretch a file to.
  private mutating func byteCount(_ file: ProgramModel.File) -> Int {
    // The same length clears the rest of the last page.
    if random.chance(changesFiles ? 25 : 8) { return file.byteCount }
    let page = Int.random(in: 0...(random.chance(70) ? file.pages : Self.mostFilePages - 1), using: &random)
    return page * 4096 + random.pick([(changesFiles ? 2 : 4, 0), (1, 1), (2, 8), (1, 4090)])
  }

  /// Whether a file may end there: not inside a page, if the program pages out to a disk.
  private func mayEnd(_ file: ProgramModel.File, at byteCount: Int) -> Bool {
    byteCount % 4096 == 0 || !(pagesOut && file.isOnDisk)
  }

  private static let mostFilePages = 8
}

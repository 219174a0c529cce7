import Scenario

extension Statement {
  /// Simpler statements that may show the same difference, the simplest first.
  var simplifications: [Statement] {
    switch self {
    case .space(.fork(_, let child)): [.space(.space(name: child))]
    case .access(.write(let space, let address, let bytes)) where bytes.bytes.count > 1:
      [.access(.write(space: space, address: address, ByteString([bytes.bytes[0]])))]
    case .access(.read(let space, let address, let count)) where count > 1:
      [.access(.read(space: space, address: address, count: 1))]
    case .access(.readRemotely(let space, let address, let count)) where count > 1:
      [.access(.readRemotely(space: space, address: address, count: 1))]
    case .access(.writeRemotely(let space, let address, let bytes)) where bytes.bytes.count > 1:
      [.access(.writeRemotely(space: space, address: address, ByteString([bytes.bytes[0]])))]
    case .pin(.poke(let name, let offset, let bytes)) where bytes.bytes.count > 1:
      [.pin(.poke(name: name, offset: offset, ByteString([bytes.bytes[0]])))]
    case .pin(.peek(let name, let offset, let count)) where count > 1:
      [.pin(.peek(name: name, offset: offset, count: 1))]
    case .pin(.pin(let name, let space, let range, let options)):
      range.shorter.map { .pin(.pin(name: name, space: space, $0, options)) }
    case .pin(.get(let name, let space, let range, let options)):
      range.shorter.map { .pin(.get(name: name, space: space, $0, options)) }
    case .space(.map(let map)):
      (map.huge || map.noReplace ? [map.withoutOptions] : [])
        + map.range.shorter.map { range in
          var shorter = map
          shorter.range = range
          return .space(.map(shorter))
        }
    case .space(.protect(let space, let range, let permission)):
      range.shorter.map { .space(.protect(space: space, $0, permission)) }
    case .space(.advise(let space, let range, let advice)):
      range.shorter.map { .space(.advise(space: space, $0, advice)) }
    case .space(.lock(let space, let range)):
      range.shorter.map { .space(.lock(space: space, $0)) }
    case .space(.unlock(let space, let range)):
      range.shorter.map { .space(.unlock(space: space, $0)) }
    case .space(.seal(let space, let range)):
      range.shorter.map { .space(.seal(space: space, $0)) }
    case .space(.unmap(let space, let range)):
      range.shorter.map { .space(.unmap(space: space, $0)) }
    case .file(.punch(let name, let page, let pages)) where pages > 1:
      [.file(.punch(name: name, page: page, pages: 1))]
    case .space(.remap(let space, let range, let target, let dontUnmap)) where range.pages == target.pages:
      (dontUnmap ? [.space(.remap(space: space, range, to: target))] : [])
        + range.shorter.map {
          .space(
            .remap(space: space, $0, to: PageRange(address: target.address, pages: $0.pages), dontUnmap: dontUnmap))
        }
    default: []
    }
  }
}

extension MapStatement {
  fileprivate var withoutOptions: Statement {
    var map = self
    map.huge = false
    map.noReplace = false
    return .space(.map(map))
  }
}

extension PageRange {
  fileprivate var shorter: [PageRange] {
    guard pages > 1 else { return [] }
    // A range may be very long, so half of it is one of the steps.
    return [1, pages / 2, pages - 1].prefix(pages > 32 ? 2 : 3).map { PageRange(address: address, pages: $0) }
  }
}

extension Statement {
  /// The pin or the spaces of the statement.
  var names: [String] {
    switch self {
    case .machine, .file, .mirror, .block: []
    case .space(let statement): statement.names
    case .access(.read(let space, _, _)), .access(.write(let space, _, _)), .access(.readRemotely(let space, _, _)),
      .access(.writeRemotely(let space, _, _)):
      [space]
    case .access: []
    case .pin(.pin(let name, _, _, _)), .pin(.get(let name, _, _, _)), .pin(.release(let name, _)),
      .pin(.peek(let name, _, _)), .pin(.poke(let name, _, _)):
      [name]
    case .look(.entry(let space, _)), .look(.frame(let space, _)), .look(.counters(let space)): [space]
    case .look: []
    }
  }
}

extension SpaceStatement {
  fileprivate var names: [String] {
    switch self {
    case .space(let name), .exit(let name): [name]
    case .fork(_, let child): [child]
    case .map(let map): [map.space]
    case .unmap(let name, _), .protect(let name, _, _), .advise(let name, _, _), .seal(let name, _),
      .remap(let name, _, _, _), .lock(let name, _), .unlock(let name, _):
      [name]
    }
  }
}

import TestSupport
import UserPages

// Each comparison returns nil if the library and the model agree. Otherwise it says how they differ.

/// Runs both. They agree if both return, or if both fail with the same error.
func both(_ real: () throws(PageError) -> Void, _ model: () throws(PageError) -> Void) -> String? {
  compare(
    { () throws(PageError) in
      try real()
      return []
    },
    { () throws(PageError) in
      try model()
      return []
    })
}

/// Runs both. They agree on the same bytes or the same error.
func compare(_ real: () throws(PageError) -> [UInt8], _ model: () throws(PageError) -> [UInt8]) -> String? {
  let expected = Result(catching: model)
  let found = Result(catching: real)
  switch (found, expected) {
  case (.success(let found), .success(let expected)): return difference(found, expected)
  case (.failure(let found), .failure(let expected)) where found == expected: return nil
  default: return "\(outcome(found)), but expected \(outcome(expected))"
  }
}

func outcome(_ result: Result<[UInt8], PageError>) -> String {
  switch result {
  case .success(let bytes): bytes.isEmpty ? "success" : "\(bytes.count) bytes"
  case .failure(let error): error.name
  }
}

/// Names the first byte in which two arrays differ.
func difference(_ found: [UInt8], _ expected: [UInt8]) -> String? {
  if haveSameBytes(found, expected) { return nil }
  guard found.count == expected.count, let index = found.indices.first(where: { found[$0] != expected[$0] }) else {
    return "\(found.count) bytes, but expected \(expected.count)"
  }
  return "byte \(index) is \(found[index]), but expected \(expected[index])"
}

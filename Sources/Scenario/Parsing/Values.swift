/// Parses a number of 64 bits, decimal or `0x` hexadecimal.
func parseNumber(_ text: String, _ what: String) throws(LineError) -> UInt64 {
  let isHex = text.hasPrefix("0x") || text.hasPrefix("0X")
  let digits = isHex ? text.dropFirst(2) : text[...]
  // UInt64's own parser would accept a sign.
  guard !digits.isEmpty, digits.utf8.allSatisfy({ hexDigit($0).map { $0 < (isHex ? 16 : 10) } ?? false }) else {
    throw LineError("\(what): \(quoted(text)) is not a number")
  }
  guard let value = UInt64(digits, radix: isHex ? 16 : 10) else {
    throw LineError("\(what): \(quoted(text)) does not fit in 64 bits")
  }
  return value
}

/// Parses BYTES.
func parseBytes(_ text: String) throws(LineError) -> ByteString {
  let parts = text.split(separator: "*", omittingEmptySubsequences: false)
  if parts.count == 1 { return ByteString(try hexBytes(text[...])) }
  guard parts.count == 2 else { throw LineError("BYTES: \(quoted(text)) has more than one '*'") }
  let byte = try hexBytes(parts[0])
  guard byte.count == 1, let value = byte.first else {
    throw LineError("BYTES: \(quoted(parts[0])) before '*' is not one byte of two hex digits")
  }
  let count = try parseNumber(String(parts[1]), "COUNT")
  guard count <= Limits.count else { throw LineError("COUNT: \(parts[1]) is more than \(Limits.count)") }
  return ByteString(repeating: value, count: Int(count))
}

/// The BYTE that fills an image or a file: one or two hex digits, with or without `0x`.
func parseFillByte(_ text: String) throws(LineError) -> UInt8 {
  let digits = text.hasPrefix("0x") || text.hasPrefix("0X") ? text.dropFirst(2) : text[...]
  guard (1...2).contains(digits.utf8.count), digits.utf8.allSatisfy({ hexDigit($0) != nil }),
    let byte = UInt8(digits, radix: 16)
  else { throw LineError("BYTE: \(quoted(text)) is not one byte of two hex digits") }
  return byte
}

private func hexBytes(_ text: Substring) throws(LineError) -> [UInt8] {
  let digits = Array(text.utf8)
  guard !digits.isEmpty else { throw LineError("BYTES: no hex digits") }
  var nibbles: [UInt8] = []
  nibbles.reserveCapacity(digits.count)
  for digit in digits {
    guard let value = hexDigit(digit) else { throw LineError("BYTES: \(quoted(text)) is not hex digits") }
    nibbles.append(value)
  }
  guard nibbles.count % 2 == 0 else {
    throw LineError("BYTES: \(quoted(text)) has an odd number of hex digits")
  }
  return stride(from: 0, to: nibbles.count, by: 2).map { nibbles[$0] << 4 | nibbles[$0 + 1] }
}

private func hexDigit(_ byte: UInt8) -> UInt8? {
  switch byte {
  case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
  case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
  case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
  default: nil
  }
}

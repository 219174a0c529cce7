/// Names and link targets as a terminal can take them. A name in an image is any bytes, escape sequences among them.
enum PrintedName {
  /// The text, with a backslash before itself, and what is no printable text as `\xHH`.
  static func text(_ name: [UInt8]) -> String {
    guard let text = String(validating: name, as: UTF8.self) else {
      return name.map { (0x20..<0x7f).contains($0) ? plain(Unicode.Scalar($0)) : hex($0) }.joined()
    }
    return text.unicodeScalars.map { scalar in
      isPrintable(scalar) ? plain(scalar) : String(scalar).utf8.map(hex).joined()
    }.joined()
  }

  private static func plain(_ scalar: Unicode.Scalar) -> String {
    scalar == "\\" ? "\\\\" : String(scalar)
  }

  private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
    default: true
    }
  }

  private static func hex(_ byte: UInt8) -> String {
    "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
  }
}

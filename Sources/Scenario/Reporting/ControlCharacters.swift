extension String {
  /// The text with `\u{...}` in place of every character that moves a terminal's cursor, changes its state or reorders
  /// text.
  public var escapingControlCharacters: String {
    // Almost every text is returned as it is.
    guard unicodeScalars.contains(where: \.isControl) else { return self }
    return unicodeScalars.map { $0.isControl ? "\\u{\(String($0.value, radix: 16))}" : String($0) }.joined()
  }
}

extension Unicode.Scalar {
  /// Whether it is a C0, DEL or C1 control, a format character such as the bidirectional ones, or a line separator.
  var isControl: Bool {
    if isASCII { return value < 0x20 || value == 0x7f }
    switch properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator: return true
    default: return false
    }
  }
}

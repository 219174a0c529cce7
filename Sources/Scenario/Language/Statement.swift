/// One statement of the scenario language. The article `ScenarioLanguage` describes all of them under the same
/// headings.
///
/// `description` is the statement as normalised words, with one blank between them. Addresses are in hexadecimal, other
/// numbers in decimal, hex digits in lower case, and options in the order of the article.
public enum Statement: Equatable, Sendable, CustomStringConvertible {
  case machine(MachineStatement)
  case space(SpaceStatement)
  case access(AccessStatement)
  case pin(PinStatement)
  case file(FileStatement)
  case mirror(MirrorStatement)
  case block(BlockStatement)
  case look(LookStatement)

  public var description: String {
    switch self {
    case .machine(let statement): statement.description
    case .space(let statement): statement.description
    case .access(let statement): statement.description
    case .pin(let statement): statement.description
    case .file(let statement): statement.description
    case .mirror(let statement): statement.description
    case .block(let statement): statement.description
    case .look(let statement): statement.description
    }
  }

  /// The first word of every statement, in the order of the article.
  public static var verbs: [String] { StatementParser.verbs }

  /// The form of the result if the statement does not fail. An expectation is read in that form.
  public var resultForm: ResultForm {
    switch self {
    case .machine, .space: .words
    case .access(.read), .access(.readFile), .access(.readErofs), .access(.readRemotely), .pin(.peek), .file(.onDisk),
      .mirror(.read):
      .bytes
    case .pin(.pin), .pin(.get), .file(.cached), .file(.reclaim), .look(.free): .number
    case .access, .pin, .file, .mirror, .block, .look: .words
    }
  }
}

/// The form of a statement's result.
public enum ResultForm: Sendable {
  case words
  case bytes
  case number
}

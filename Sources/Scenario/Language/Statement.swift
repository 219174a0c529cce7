/// One statement of the language, by the heading of the contract it stands under.
///
/// `description` is the statement as normalised words: one blank between words, addresses in hexadecimal, other numbers
/// in decimal, hex digits in lower case, options in the contract's order.
public enum Statement: Equatable, Sendable, CustomStringConvertible {
  case machine(MachineStatement)
  case space(SpaceStatement)
  case access(AccessStatement)
  case pin(PinStatement)
  case look(LookStatement)

  public var description: String {
    switch self {
    case .machine(let statement): statement.description
    case .space(let statement): statement.description
    case .access(let statement): statement.description
    case .pin(let statement): statement.description
    case .look(let statement): statement.description
    }
  }

  /// The form its result takes where it does not fail; an expectation is read in that form.
  public var resultForm: ResultForm {
    switch self {
    case .machine, .space: .words
    case .access(.read), .access(.readFile), .access(.readErofs), .pin(.peek): .bytes
    case .pin(.pin), .pin(.get), .look(.free): .number
    case .access, .pin, .look: .words
    }
  }
}

/// The form of a statement's result.
public enum ResultForm: Sendable {
  case words
  case bytes
  case number
}

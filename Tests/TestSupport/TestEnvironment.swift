import Foundation

/// The settings that environment variables give the tests. A setting that makes no sense ends the run.
///
/// A test that ignored `GUP_SEED=abc`, or that ran no program for `GUP_MODEL_PROGRAMS=0`, would pass and show nothing.
public enum TestEnvironment {
  /// A variable with a text that is refused.
  public struct Refusal: Error, Equatable, CustomStringConvertible {
    public var description: String

    public init(description: String) { self.description = description }
  }

  /// Returns the number in `name`, or `value` if the variable is not set. Ends the process if the number is refused.
  public static func number<Number: SettingNumber>(
    _ name: String, in range: ClosedRange<Number>, default value: @autoclosure () -> Number
  ) -> Number {
    guard let text = ProcessInfo.processInfo.environment[name] else { return value() }
    do throws(Refusal) {
      return try parse(text, name, in: range)
    } catch {
      FileHandle.standardError.write(Data("error: \(error)\n".utf8))
      exit(2)
    }
  }

  /// Returns the case that `name` names, or nil if the variable is not set. Ends the process if there is no such case.
  public static func choice<Choice: RawRepresentable & CaseIterable>(_ name: String) -> Choice?
  where Choice.RawValue == String {
    guard let text = ProcessInfo.processInfo.environment[name] else { return nil }
    if let choice = Choice(rawValue: text) { return choice }
    let words = Choice.allCases.map(\.rawValue).joined(separator: ", ")
    FileHandle.standardError.write(Data("error: \(name)=\(text): one of \(words) is needed\n".utf8))
    exit(2)
  }

  /// Returns the number that `text`, the value of the variable `name`, stands for.
  public static func parse<Number: SettingNumber>(
    _ text: String, _ name: String, in range: ClosedRange<Number>
  ) throws(Refusal) -> Number {
    // Not-a-number lies in no range.
    guard let number = Number(setting: text), range.contains(number) else {
      throw Refusal(
        description: "\(name)=\(text): a number from \(range.lowerBound) to \(range.upperBound) is needed")
    }
    return number
  }
}

/// A number that an environment variable may hold.
public protocol SettingNumber: Comparable {
  /// Parses a setting.
  init?(setting: String)
}

extension Int: SettingNumber {
  public init?(setting: String) { self.init(setting) }
}

extension Double: SettingNumber {
  public init?(setting: String) { self.init(setting) }
}

extension UInt64: SettingNumber {
  /// Decimal, or hexadecimal after `0x`.
  public init?(setting: String) {
    if setting.hasPrefix("0x") { self.init(setting.dropFirst(2), radix: 16) } else { self.init(setting) }
  }
}

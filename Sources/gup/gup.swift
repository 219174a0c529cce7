@main
struct GUP {
  static func main() {}
}

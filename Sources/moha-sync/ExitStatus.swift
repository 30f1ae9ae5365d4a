/// The exit codes of every command; stable, and listed in `--help`.
enum ExitStatus: Int32 {
  case success = 0
  case failed = 1
  case usage = 2
  case partlyDone = 3
  case differences = 4
  case noTree = 10
  case locked = 11
  case refused = 12
  case serviceDown = 69
  case interrupted = 130
}

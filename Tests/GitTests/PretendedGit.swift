internal import Glibc
internal import TestSupport

extension GitScratch {
  /// Starts a program that the process table shows as `git` with these arguments, in `folder`: a shell that runs
  /// `script`.
  func pretendGit(_ arguments: [String], _ script: String, in folder: String) throws -> RunningProgram {
    let bin = base + "/\(arguments[0])"
    mkdir(bin, 0o755)
    try ChildProcess.runChecked("cp", ["/bin/bash", bin + "/git"])
    return try RunningProgram(
      bin + "/git", ["-c", script] + arguments, environment: environment, workingDirectory: folder)
  }
}

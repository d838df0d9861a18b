//! Pid 1 of a pod. Started by an isolator with its end of the monitor's socket as descriptor 3.

fn main() -> std::process::ExitCode {
    stage1::init::run()
}

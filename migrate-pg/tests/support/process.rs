//! Runners that are processes of their own: the test binary, started again with what it is to do in its environment.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const TASK: &str = "MIGRATE_TEST_RUNNER";

/// What the child was told to do, and on which database; `None` in a process that is no child.
pub fn task() -> Option<(String, String)> {
    let task = std::env::var(TASK).ok()?;
    let (task, url) = task.split_once(' ').expect("a task and a database");
    Some((task.to_owned(), url.to_owned()))
}

/// A child, whose test `runner` does the task.
pub struct Runner {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

pub fn start(task: &str, url: &str) -> Runner {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "runner", "--nocapture"])
        .env(TASK, format!("{task} {url}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (input, output) = (process.stdin.take(), BufReader::new(process.stdout.take().unwrap()));
    Runner { process, input, output }
}

impl Runner {
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Reads on to a line that the child says with this in front, and hands back the rest of it; `None` where it ended.
    pub fn hear(&mut self, word: &str) -> Option<String> {
        for line in (&mut self.output).lines() {
            // The test harness may have written its own beginning into the same line.
            if let Some((_, rest)) = line.ok()?.split_once(&format!("@{word} ")) {
                return Some(rest.to_owned());
            }
        }
        None
    }

    pub fn signal(&self, name: &str) {
        signal(name, self.id());
    }

    /// Lets a child go on that waits for it.
    pub fn go_on(&mut self) {
        let mut input = self.input.take().expect("it goes on once");
        input.write_all(b"\n").unwrap();
    }

    /// Waits for its end: whether it ended by itself and well.
    pub fn end(mut self) -> bool {
        self.process.wait().unwrap().success()
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        // Its test is over; where it has ended by itself there is nothing to end.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub fn signal(name: &str, id: u32) {
    let id = id.to_string();
    assert!(Command::new("kill").args(["-s", name, "--", &id]).status().unwrap().success());
}

/// The child's side: says something to its parent.
pub fn say(word: &str, text: &str) {
    println!("@{word} {text}");
    std::io::stdout().flush().unwrap();
}

/// The child's side: waits until it may go on.
pub fn wait_to_go_on() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
}

/// The child's side: dies here, as by the kernel's hand.
pub fn die() -> ! {
    signal("KILL", std::process::id());
    loop {
        std::thread::park();
    }
}

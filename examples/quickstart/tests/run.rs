//! The program as people run it, with a smaller shop.

use std::process::{Command, Stdio};

fn quickstart(rows: &str) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_quickstart"))
        .env("QUICKSTART_ROWS", rows)
        .env_remove("QUICKSTART_DATABASE_URL")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn the_shop_is_changed_taken_back_and_changed_again() {
    let output = quickstart("3000");
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{errors}");
    // In this order.
    let mut rest = &*said;
    for part in [
        "== The release before this one",
        "3000 users, 3000 orders.",
        "== The plan of this release",
        "DropFullName",
        "== At start-up: Expand only",
        "AddNames",
        "== In a job",
        "FillOrderStatus",
        "SplitNames",
        "DropFullName",
        "== The ledger",
        "DropFullName",
        "User 42 is Ada42 Lovelace now.",
        "== All of it taken back",
        "CreateUsers",
        "== And applied again",
        "DropFullName",
        "Done in ",
    ] {
        let Some((_, behind)) = rest.split_once(part) else {
            panic!("{part:?} is not where it was:\n{said}\n{errors}")
        };
        rest = behind;
    }
    // Filled by SQL, and by Rust, as the run and the ledger say; the second time there is nothing left to fill.
    for fill in ["FillOrderStatus", "SplitNames"] {
        let filled =
            said.lines().filter(|line| line.contains(fill) && line.split_whitespace().any(|word| word == "3000"));
        assert_eq!(filled.count(), 2, "{said}");
    }
}

#[test]
fn a_size_that_is_none_is_an_error() {
    let output = quickstart("many");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("QUICKSTART_ROWS"));
}

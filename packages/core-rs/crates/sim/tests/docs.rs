//! Every test that docs/internals/pcb.md names exists.

use std::fs;
use std::path::Path;

#[test]
fn tests_named_by_the_pcb_table_exist() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("crates");
    let page = fs::read_to_string(crates.join("../../../docs/internals/pcb.md")).expect("pcb.md");
    let mut sources = String::new();
    for dir in ["sim/tests", "stack/src"] {
        collect(&crates.join(dir), &mut sources);
    }
    let rows = page.lines().filter(|line| line.starts_with('|')).skip(2);
    let mut named = 0;
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
        assert_eq!(cells.len(), 4, "{row}");
        for name in cells[3].split('`').skip(1).step_by(2) {
            assert!(sources.contains(&format!("fn {name}()")), "no test {name}");
            named += 1;
        }
    }
    assert!(named > 50, "{named} tests found in the table");
}

fn collect(dir: &Path, into: &mut String) {
    for entry in fs::read_dir(dir).expect("directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, into);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            into.push_str(&fs::read_to_string(&path).expect("source"));
        }
    }
}

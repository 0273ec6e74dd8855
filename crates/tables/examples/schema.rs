//! Prints the page on the tables: `cargo run --release -p retrial-tables --example schema`.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

fn main() {
    print!("{}", retrial_tables::schema_markdown());
}

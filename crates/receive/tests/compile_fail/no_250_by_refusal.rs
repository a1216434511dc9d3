//! A refusal cannot be worded as a success: the code is looked at when the program is compiled.

const YES: smtp::RefusalCode = smtp::RefusalCode::new(250, 0, 0);

fn main() {
    let _ = YES;
}

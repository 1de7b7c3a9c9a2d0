//! One row of a table whose fields may be quoted, as spreadsheets and PowerShell write them.

/// The fields of a row with their quotes undone; of a row with more than `fields_max`, those and one more.
pub(crate) fn fields(line: &str, delimiter: char, fields_max: usize) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut letters = line.trim_end_matches(['\r', '\n']).chars().peekable();
    while let Some(letter) = letters.next() {
        let Some(field) = fields.last_mut() else {
            break;
        };
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                field.push('"');
                letters.next();
            }
            '"' => quoted = !quoted,
            letter if letter == delimiter && !quoted => {
                if fields.len() > fields_max {
                    break;
                }
                fields.push(String::new());
            }
            letter => field.push(letter),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::fields;

    #[test]
    fn quotes_are_undone_and_rows_are_bounded() {
        assert_eq!(fields("a,\"b,\"\"c\"\"\",", ',', 9), ["a", "b,\"c\"", ""]);
        assert_eq!(fields("a;\"b;c", ';', 9), ["a", "b;c"]);
        assert_eq!(fields("a,b,c,d,e", ',', 2).len(), 3);
    }
}

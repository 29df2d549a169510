//! Dates of SEARCH and APPEND.

use jiff::civil;
use jiff::tz::Offset;
use message::text::Day;

use super::cursor::Cursor;
use super::{Error, Result};

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// ```text
/// date      = date-text / DQUOTE date-text DQUOTE
/// date-text = 1*2DIGIT "-" date-month "-" 4DIGIT
/// ```
pub fn day(cursor: &mut Cursor) -> Result<Day> {
    let text = String::from_utf8_lossy(&cursor.astring()?).to_ascii_lowercase();
    parse_day(&text).map(|(day, _)| day)
}

/// ```text
/// date-time = DQUOTE (SP DIGIT / 2DIGIT) "-" date-month "-" 4DIGIT SP time SP zone DQUOTE
/// time      = 2DIGIT ":" 2DIGIT ":" 2DIGIT
/// zone      = ("+" / "-") 4DIGIT
/// ```
/// In seconds since 1970 UTC. A leap second counts as the one before it.
pub fn date_time(cursor: &mut Cursor) -> Result<i64> {
    let text = String::from_utf8_lossy(&cursor.astring()?).to_ascii_lowercase();
    let wrong = Error("the date is wrong");
    let mut words = text.split_ascii_whitespace();
    let (date, time, zone) = (words.next(), words.next(), words.next());
    let (Some(date), Some(time), Some(zone), None) = (date, time, zone, words.next()) else {
        return Err(wrong);
    };
    let (_, date) = parse_day(date)?;
    let time: Vec<i8> = time.split(':').filter_map(digits).collect();
    let &[hour, minute, second] = time.as_slice() else { return Err(wrong) };
    let time = civil::Time::new(hour, minute, second.min(59), 0).map_err(|_| wrong)?;
    let moment = parse_zone(zone).and_then(|zone| zone.to_timestamp(date.to_datetime(time)).ok());
    Ok(moment.ok_or(wrong)?.as_second())
}

fn parse_day(text: &str) -> Result<(Day, civil::Date)> {
    let wrong = Error("the date is wrong");
    let parts: Vec<&str> = text.split('-').collect();
    let &[day, month, year] = parts.as_slice() else { return Err(wrong) };
    let month = MONTHS.iter().zip(1_i8..).find(|(name, _)| **name == month).ok_or(wrong)?.1;
    let year = digits::<i16>(year).filter(|_| year.len() == 4).ok_or(wrong)?;
    let day = digits(day).ok_or(wrong)?;
    let date = civil::Date::new(year, month, day).map_err(|_| wrong)?;
    Ok((
        Day { year: year.unsigned_abs(), month: month.unsigned_abs(), day: day.unsigned_abs() },
        date,
    ))
}

fn parse_zone(zone: &str) -> Option<Offset> {
    let (sign, number) = match zone.split_at_checked(1)? {
        ("+", number) => (1, number),
        ("-", number) => (-1, number),
        _ => return None,
    };
    let number: i32 = digits(number).filter(|_| number.len() == 4)?;
    let minutes = number % 100;
    if minutes > 59 {
        return None;
    }
    Offset::from_seconds(sign * (number / 100 * 3600 + minutes * 60)).ok()
}

fn digits<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.parse().ok().filter(|_| text.bytes().all(|c| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::Piece;

    fn cursor(text: &str) -> Cursor {
        Cursor::new(vec![Piece::Text(text.as_bytes().to_vec())])
    }

    #[test]
    fn moments() {
        let at = |text| date_time(&mut cursor(text)).ok();
        assert_eq!(at("\"17-Jul-1996 02:44:25 -0700\""), Some(837_596_665));
        assert_eq!(at("\" 1-Jan-1970 00:00:00 +0000\""), Some(0));
        assert_eq!(at("\"01-jan-1970 00:30:60 +0030\""), Some(59));
        for wrong in [
            "\"31-Feb-1996 02:44:25 -0700\"",
            "\"1-Jan-1970 24:00:00 +0000\"",
            "\"1-Jan-1970 00:00:00 0000\"",
            "\"1-Jan-1970 00:00:00 +9999\"",
            "\"1-Jan-1970 00:00 +0000\"",
            "\"1-Jan-1970\"",
            "\"1-Foo-1970 00:00:00 +0000\"",
            "\"1-Jan-+970 00:00:00 +0000\"",
            "\"\"",
            "x",
        ] {
            assert_eq!(at(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn days() {
        let on = |text| day(&mut cursor(text)).ok().map(|d| (d.year, d.month, d.day));
        assert_eq!(on("1-Feb-1994"), Some((1994, 2, 1)));
        assert_eq!(on("\"28-FEB-1994\""), Some((1994, 2, 28)));
        assert_eq!(on("29-Feb-1994"), None);
        assert_eq!(on("1-2-1994"), None);
    }
}

//! What has changed since the last look, as lines. Pure.

use control::status::{Status, View};

use crate::ask::Picture;

/// Remembers what was told last.
#[derive(Debug, Default)]
pub struct News {
    view: Option<String>,
    rest: Option<String>,
}

impl News {
    /// The lines that are news: at most one about the view, which begins with `twinpost: `, and one
    /// about everything else.
    pub fn of(&mut self, picture: &Picture) -> Vec<String> {
        let mut lines = Vec::new();
        let view = view(picture);
        if self.view.as_ref() != Some(&view) {
            lines.push(format!("twinpost: {view}"));
            self.view = Some(view);
        }
        let rest = rest(picture);
        if self.rest.as_ref() != Some(&rest) {
            if !rest.is_empty() {
                lines.push(format!("status: {rest}"));
            }
            self.rest = Some(rest);
        }
        lines
    }
}

fn view(picture: &Picture) -> String {
    match &picture.status {
        Ok(status) => match status.view {
            View::Starting => "starting, opening the stores".into(),
            View::Waiting => "waiting for the peer, mail is not served yet".into(),
            View::Both => "ready, view both".into(),
            View::Alone => "ready, view alone".into(),
        },
        Err(_) => "not serving, maild does not answer".into(),
    }
}

/// Without numbers that always change.
fn rest(picture: &Picture) -> String {
    let mut parts = Vec::new();
    match &picture.status {
        Ok(status) => {
            parts.push(serving(status));
            parts.extend(
                status
                    .links
                    .iter()
                    .filter(|link| !link.carrier)
                    .map(|link| format!("no cable at the {} port {}", link.path, link.port)),
            );
            if status.one_copy_since_s.is_some() {
                parts.push("new mail is on this box only".into());
            }
            parts.push(status.health.clone());
        }
        Err(_) => {
            if let Some(report) = &picture.report {
                parts.extend(report.problems.iter().cloned());
            }
        }
    }
    parts.join("; ")
}

fn serving(status: &Status) -> String {
    if status.held_addresses.is_empty() {
        return "no service address".into();
    }
    let held: Vec<_> = status.held_addresses.iter().map(ToString::to_string).collect();
    format!("serving {}", held.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::tests::{picture, picture_without_maild};

    #[test]
    fn a_change_of_view_is_one_line() {
        let mut news = News::default();
        let mut now = picture();
        assert_eq!(
            news.of(&now),
            ["twinpost: ready, view both", "status: serving 10.77.0.1; all is well"]
        );
        assert!(news.of(&now).is_empty(), "nothing new");
        let status = now.status.as_mut().unwrap();
        status.view = View::Alone;
        status.held_addresses.push("10.77.0.2".parse().unwrap());
        assert_eq!(
            news.of(&now),
            ["twinpost: ready, view alone", "status: serving 10.77.0.1 10.77.0.2; all is well"]
        );
    }

    #[test]
    fn running_numbers_are_no_news() {
        let mut news = News::default();
        let mut now = picture();
        news.of(&now);
        let status = now.status.as_mut().unwrap();
        status.uptime_s += 1;
        status.messages += 100;
        status.log.end += 100;
        status.memory_bytes += 4096;
        status.links[0].heard_ms = Some(49);
        assert!(news.of(&now).is_empty());
        now.status.as_mut().unwrap().links[0].carrier = false;
        assert!(news.of(&now)[0].contains("no cable at the crossover port eth1"));
    }

    #[test]
    fn a_silent_maild_and_its_reason() {
        let mut news = News::default();
        let lines = news.of(&picture_without_maild());
        assert_eq!(lines[0], "twinpost: not serving, maild does not answer");
        assert!(lines[1].contains("no disk"), "{lines:?}");
        assert_eq!(news.of(&picture())[0], "twinpost: ready, view both");
    }
}

//! Keys and what they do. Pure.

use control::status::View;

use crate::ask::Picture;

/// What a key asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Say(String),
    Status,
    Log,
    Events,
    Handover,
    GiveBack,
    Maintenance { on: bool },
    Reboot,
    PowerOff,
}

/// The menu, and the question that waits for a yes.
#[derive(Debug, Default)]
pub struct Menu {
    question: Option<Action>,
}

impl Menu {
    /// One key. `None` when it means nothing.
    pub fn press(&mut self, key: u8, picture: &Picture) -> Option<Action> {
        if let Some(action) = self.question.take() {
            return Some(match key {
                b'y' | b'Y' => action,
                _ => Action::Say("\nNothing was done.\n".into()),
            });
        }
        match key.to_ascii_lowercase() {
            b'\r' | b'\n' | b's' => Some(Action::Status),
            b'l' => Some(Action::Log),
            b'e' => Some(Action::Events),
            b'o' => Some(self.wish(
                "Hand this box's address over to the other box?",
                "Its clients connect again there. This box takes it back when you say so.",
                Action::Handover,
            )),
            b'g' => Some(self.wish(
                "Shall each box take its own address back?",
                "Clients of an address that moves connect again.",
                Action::GiveBack,
            )),
            b'm' if is_in_maintenance(picture) => Some(self.wish(
                "End the maintenance of this box?",
                "It takes its address back and serves.",
                Action::Maintenance { on: false },
            )),
            b'm' => Some(self.wish(
                "Begin maintenance of this box?",
                "It keeps a copy of everything and serves nobody, even if the other box fails, until \
                 you end it.",
                Action::Maintenance { on: true },
            )),
            b'r' => Some(self.ask("Restart this box?", Action::Reboot, picture)),
            b'p' => Some(self.ask("Switch this box off?", Action::PowerOff, picture)),
            b'?' | b'h' => Some(Action::Say("\n".into())),
            _ => None,
        }
    }

    /// What stands before the cursor.
    #[must_use]
    pub fn prompt(&self) -> &'static str {
        match self.question {
            Some(_) => "y = yes, any other key = no > ",
            None => {
                "s status l log e events o hand over g give back m maintenance r restart p off > "
            }
        }
    }

    /// Whether a question waits for its answer.
    #[must_use]
    pub fn asks(&self) -> bool {
        self.question.is_some()
    }

    /// What to print again after something else was printed: a question must not scroll away.
    #[must_use]
    pub fn question_again(&self) -> &'static str {
        if self.asks() { self.prompt() } else { "" }
    }

    fn wish(&mut self, question: &str, meaning: &str, action: Action) -> Action {
        self.question = Some(action);
        Action::Say(format!("\n{question}\n{meaning}\n"))
    }

    fn ask(&mut self, question: &str, action: Action, picture: &Picture) -> Action {
        self.question = Some(action);
        Action::Say(format!("\n{question} {}\n", meanwhile(picture)))
    }
}

fn is_in_maintenance(picture: &Picture) -> bool {
    picture.status.as_ref().is_ok_and(|status| status.maintenance)
}

/// What it would mean for the mail.
fn meanwhile(picture: &Picture) -> &'static str {
    match picture.status.as_ref().map(|status| status.view) {
        Ok(View::Both) => "The other box serves all mail meanwhile.",
        Ok(View::Alone) => "This box is the only one that serves: NO MAIL IS SERVED meanwhile.",
        Ok(View::Starting | View::Waiting) | Err(_) => "This box does not serve mail now.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::tests::{picture, picture_without_maild};

    fn said(action: Option<Action>) -> String {
        match action {
            Some(Action::Say(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn ending_the_box_needs_a_yes() {
        for (key, action) in [(b'r', Action::Reboot), (b'P', Action::PowerOff)] {
            let mut menu = Menu::default();
            assert!(said(menu.press(key, &picture())).contains("The other box serves"));
            assert!(menu.prompt().starts_with("y = yes"));
            assert_eq!(menu.press(b'y', &picture()), Some(action));
            said(menu.press(key, &picture()));
            for no in [b'n', b'\r', key] {
                assert!(said(menu.press(no, &picture())).contains("Nothing was done"));
                said(menu.press(key, &picture()));
            }
        }
    }

    #[test]
    fn addresses_move_after_a_yes_only() {
        let mut kept = picture();
        kept.status.as_mut().unwrap().maintenance = true;
        for (key, picture, action) in [
            (b'o', picture(), Action::Handover),
            (b'g', picture(), Action::GiveBack),
            (b'm', picture(), Action::Maintenance { on: true }),
            (b'm', kept, Action::Maintenance { on: false }),
        ] {
            let mut menu = Menu::default();
            said(menu.press(key, &picture));
            assert_eq!(menu.press(b'y', &picture), Some(action));
            said(menu.press(key, &picture));
            assert!(said(menu.press(b'n', &picture)).contains("Nothing was done"));
        }
        assert!(Menu::default().prompt().len() <= crate::limits::COLUMNS);
    }

    #[test]
    fn the_question_says_what_it_means() {
        let mut alone = picture();
        alone.status.as_mut().unwrap().view = View::Alone;
        assert!(said(Menu::default().press(b'r', &alone)).contains("NO MAIL IS SERVED"));
        let silent = picture_without_maild();
        assert!(said(Menu::default().press(b'r', &silent)).contains("does not serve"));
    }

    #[test]
    fn other_keys() {
        let mut menu = Menu::default();
        assert_eq!(menu.press(b'\r', &picture()), Some(Action::Status));
        assert_eq!(menu.press(b'S', &picture()), Some(Action::Status));
        assert_eq!(menu.press(b'l', &picture()), Some(Action::Log));
        for key in [0, 3, 27, b'y', b'x', 0xff] {
            assert_eq!(menu.press(key, &picture()), None);
        }
    }
}

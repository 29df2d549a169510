//! The serial menu: how the box is, in plain text, on any terminal of 80 by 24.
//!
//! It asks maild for its status and init for its report once a second and prints one line when
//! something has changed that the owner would want to know; numbers that always change do not
//! count. A change of the view is one line that begins with `twinpost: `. Enter shows everything.
//! It never clears the screen or moves the cursor: what it writes can go to a file.
//!
//! Deciding what to print is pure ([`news`], [`screen`], [`menu`]); [`ask`] does the talking.

mod ask;
mod limits;
mod menu;
mod news;
mod screen;

use std::io::{Read, Write, stdin, stdout};
use std::os::fd::AsFd;
use std::time::Instant;

use anyhow::Result;
use control::{FromInit, FromMaild, ToInit, ToMaild};
use linux::poll;
use linux::terminal::{self, Mode};

use limits::{LOG_LINES_SHOWN, LOOK_EVERY};
use menu::{Action, Menu};
use news::News;

fn main() -> Result<()> {
    terminal::set_mode(&stdin(), Mode::Keys)?;
    let mut news = News::default();
    let mut menu = Menu::default();
    let mut picture = ask::picture();
    let mut look_at = Instant::now();
    show("\nPress Enter for the status of this box and the menu.\n")?;
    let mut at_prompt = false;
    loop {
        let now = Instant::now();
        if now >= look_at {
            look_at = now + LOOK_EVERY;
            picture = ask::picture();
            let lines = news.of(&picture);
            if !lines.is_empty() {
                let start = if at_prompt { "\n" } else { "" };
                show(&format!("{start}{}\n{}", lines.join("\n"), menu.question_again()))?;
                at_prompt = menu.asks();
            }
        }
        let wait = look_at.saturating_duration_since(Instant::now());
        if !poll::readable(&[stdin().as_fd()], Some(wait))?[0] {
            continue;
        }
        let mut keys = [0; 64];
        let length = stdin().read(&mut keys)?;
        if length == 0 {
            return Ok(()); // the terminal is gone; init starts another
        }
        for key in &keys[..length] {
            if let Some(action) = menu.press(*key, &picture) {
                at_prompt = act(action)?;
                if at_prompt {
                    show(menu.prompt())?;
                }
            }
        }
    }
}

/// False when the box ends: there is nothing more to choose.
fn act(action: Action) -> Result<bool> {
    match action {
        Action::Say(text) => show(&text)?,
        Action::Status => show(&screen::whole(&ask::picture()))?,
        Action::Log => match ask::init(&ToInit::Log { lines: LOG_LINES_SHOWN }) {
            Ok(FromInit::Log { lines }) => show(&format!("\n{}\n", lines.join("\n")))?,
            other => show(&unanswered(other))?,
        },
        Action::Events => match ask::maild(&ToMaild::Events { newest: LOG_LINES_SHOWN }) {
            Ok(FromMaild::Events { events }) => show(&screen::events(&events))?,
            other => show(&unanswered(other))?,
        },
        Action::Handover => wish(&ToMaild::Handover)?,
        Action::GiveBack => wish(&ToMaild::GiveBack)?,
        Action::Maintenance { on } => wish(&ToMaild::Maintenance { on })?,
        Action::Reboot => return end(&ToInit::Reboot, "The box restarts now."),
        Action::PowerOff => return end(&ToInit::PowerOff, "The box switches off now."),
    }
    Ok(true)
}

fn wish(wish: &ToMaild) -> Result<()> {
    match ask::maild(wish) {
        Ok(FromMaild::Done) => show("\nIt is being done; the status shows how far it is.\n"),
        Ok(FromMaild::Failed { reason }) => show(&format!("\nNot done: {reason}.\n")),
        other => show(&unanswered(other)),
    }
}

fn end(request: &ToInit, done: &str) -> Result<bool> {
    let answer = ask::init(request);
    let accepted = matches!(answer, Ok(FromInit::Accepted));
    match answer {
        Ok(FromInit::Accepted) => show(&format!("\n{done}\n"))?,
        Ok(FromInit::Refused { reason }) => show(&format!("\nNot done: {reason}.\n"))?,
        other => show(&unanswered(other))?,
    }
    Ok(!accepted)
}

fn unanswered<T>(answer: Result<T>) -> String {
    match answer {
        Ok(_) => "\nThe box gave an answer that makes no sense here.\n".into(),
        Err(error) => format!("\nThe box does not answer: {error:#}\n"),
    }
}

fn show(text: &str) -> Result<()> {
    let mut out = stdout();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

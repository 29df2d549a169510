//! The demo for a person: where everything is, and a prompt to break it.

use std::io::Write;

use anyhow::Result;
use rack::{Cable, Side};

use super::pair::{Pair, Ports};
use super::waiting;

/// Starts the pair, says where it is, and obeys until the person has had enough. Ctrl-C is `interrupt`'s.
pub fn run(pair: &mut Pair) -> Result<()> {
    let step = waiting("boot", "both boxes");
    let boots = pair.start()?;
    let [a, b] = boots.map(|boot| boot.as_secs_f64());
    step.done(format!("greetings after {a:.1} and {b:.1} s"));
    let step = waiting("view", "waiting until both boxes are in");
    pair.wait_for_both()?;
    pair.create_accounts(Side::A)?;
    step.done("both");
    println!("{}", welcome(pair));
    println!("{HELP}");
    let mut lines = std::io::stdin().lines();
    loop {
        print!("twinpost> ");
        std::io::stdout().flush()?;
        let Some(line) = lines.next() else { break without_terminal() };
        match Order::parse(&line?) {
            Ok(Some(Order::Quit)) => break,
            Ok(Some(order)) => obey(pair, order),
            Ok(None) => {}
            Err(help) => println!("{help}"),
        }
    }
    println!("both boxes lose their power now");
    Ok(())
}

/// A demo without a terminal goes on until it is interrupted.
fn without_terminal() {
    println!("(no more input; Ctrl-C ends the demo)");
    loop {
        std::thread::park();
    }
}

/// What the person can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Kill(Side),
    Power(Side),
    Cut(Cable),
    Join(Cable),
    Status,
    Where,
    Quit,
}

const HELP: &str = "\
kill a|b          cut a box's power          power a|b     give it back
cut CABLE         lan-a, lan-b, crossover    join CABLE    mend it
status            what the boxes say         where         the ports again
quit              end everything (also Ctrl-C)";

impl Order {
    /// `None` for an empty line; otherwise what is wrong, in words.
    fn parse(line: &str) -> Result<Option<Order>, String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let cable = |name: &str| name.parse::<Cable>().map_err(|error| error.to_string());
        Ok(Some(match words[..] {
            [] => return Ok(None),
            ["kill", side] => Order::Kill(side_named(side)?),
            ["power", side] => Order::Power(side_named(side)?),
            ["cut", name] => Order::Cut(cable(name)?),
            ["join", name] => Order::Join(cable(name)?),
            ["status"] => Order::Status,
            ["where"] => Order::Where,
            ["quit" | "exit"] => Order::Quit,
            _ => return Err(HELP.to_owned()),
        }))
    }
}

fn side_named(name: &str) -> Result<Side, String> {
    match name {
        "a" => Ok(Side::A),
        "b" => Ok(Side::B),
        _ => Err(format!("there is no box {name:?}: the boxes are a and b")),
    }
}

/// Does it and says how it went; nothing that a person types ends the demo but `quit`.
fn obey(pair: &mut Pair, order: Order) {
    let said = match order {
        Order::Kill(side) => pair.kill(side).map(|_| format!("box {side} has no power")),
        Order::Power(side) => pair.power_on(side).map(|_| format!("box {side} starts")),
        Order::Cut(cable) => pair.set_cable(cable, false).map(|()| format!("{cable} is cut")),
        Order::Join(cable) => pair.set_cable(cable, true).map(|()| format!("{cable} is good")),
        Order::Status => Ok(status(pair)),
        Order::Where => Ok(welcome(pair)),
        Order::Quit => return,
    };
    match said {
        Ok(said) => println!("{said}"),
        Err(error) => println!("{error:#}"),
    }
}

fn status(pair: &mut Pair) -> String {
    let mut text = String::new();
    for side in Side::BOTH {
        let said = if !pair.is_on(side) {
            "off".to_owned()
        } else {
            match pair.panel(side).status() {
                Ok(status) => format!("on, view {}", status.view),
                Err(error) => format!("on, says nothing: {error:#}"),
            }
        };
        text += &format!("box {side}: {said}\n");
    }
    if let Ok(stats) = pair.rack().stats() {
        for (way, fault, stats) in stats.ways {
            let bad = if fault.cut { "  CUT" } else { "" };
            let (frames, lost) = (stats.frames, stats.lost);
            text += &format!("{:14} {frames} frames, {lost} lost{bad}\n", format!("{way:?}"));
        }
    }
    text.trim_end().to_owned()
}

/// Where everything is.
fn welcome(pair: &Pair) -> String {
    let mut text = format!(
        "\nTwo boxes, one mail server. Panel user admin, password {}\n",
        pair.admin_password
    );
    for side in Side::BOTH {
        let Ports { smtp, submission, imaps, pop3s, panel, .. } = pair.ports(side);
        let account = &pair.accounts[side as usize % pair.accounts.len()];
        let (address, password) = (&account.address, &account.password);
        let log = pair.console_log(side);
        text += &format!(
            "\nbox {side}\n\
             \x20 panel       https://{panel}/  (it signs its own certificate)\n\
             \x20 SMTP        {smtp}, submission {submission}\n\
             \x20 IMAP, TLS   {imaps}\n\
             \x20 POP3, TLS   {pop3s}\n\
             \x20 account     {address}  password {password}\n\
             \x20 console     tail -f {}\n",
            log.display()
        );
        if let Some(pid) = pair.pid(side) {
            text += &format!("  kill it     kill -9 {pid}   or here: kill {side}\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_as_people_type_them() {
        for (line, expect) in [
            ("", Ok(None)),
            (" kill  a ", Ok(Some(Order::Kill(Side::A)))),
            ("power b", Ok(Some(Order::Power(Side::B)))),
            ("cut crossover", Ok(Some(Order::Cut(Cable::Crossover)))),
            ("join lan-b", Ok(Some(Order::Join(Cable::LanB)))),
            ("status", Ok(Some(Order::Status))),
            ("exit", Ok(Some(Order::Quit))),
            ("help", Err(HELP.to_owned())),
            ("kill c", Err("there is no box \"c\": the boxes are a and b".to_owned())),
        ] {
            assert_eq!(Order::parse(line), expect, "{line:?}");
        }
        assert!(Order::parse("cut lan").unwrap_err().contains("crossover"));
    }
}

//! The demo for a person: where everything is, and a prompt to break it.

use std::io::Write;
use std::time::Duration;

use anyhow::Result;
use rack::{Cable, Fault, Side};

use super::pair::{Pair, Ports};
use super::waiting;

/// Starts the pair, says where it is, and obeys until the person has had enough. Ctrl-C is
/// `interrupt`'s.
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
    Wire(Cable, Fault),
    Status,
    Where,
    Quit,
}

const HELP: &str = "\
kill a|b          cut a box's power          power a|b     give it back
cut CABLE         lan-a, lan-b, crossover    join CABLE    mend it
slow CABLE MS     each frame takes so long   lossy CABLE PERCENT
status            what the boxes say         where         the ports again
quit              end everything (also Ctrl-C)";

/// Longer than any timeout that a person has the patience to watch.
const DELAY_MS_MAX: u64 = 60_000;
const PPM_PER_PERCENT: u32 = 10_000;

impl Order {
    /// `None` for an empty line; otherwise what is wrong, in words.
    fn parse(line: &str) -> Result<Option<Order>, String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let cable = |name: &str| name.parse::<Cable>().map_err(|error| error.to_string());
        Ok(Some(match words[..] {
            [] => return Ok(None),
            ["kill", side] => Order::Kill(side_named(side)?),
            ["power", side] => Order::Power(side_named(side)?),
            ["cut", name] => Order::Wire(cable(name)?, Fault::CUT),
            ["join", name] => Order::Wire(cable(name)?, Fault::NONE),
            ["slow", name, ms] => {
                let delay = Duration::from_millis(number_up_to(ms, DELAY_MS_MAX)?);
                Order::Wire(cable(name)?, Fault::delay(delay))
            }
            ["lossy", name, percent] => {
                let loss_ppm = number_up_to(percent, 100)? as u32 * PPM_PER_PERCENT;
                Order::Wire(cable(name)?, Fault::loss_ppm(loss_ppm))
            }
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

fn number_up_to(word: &str, max: u64) -> Result<u64, String> {
    let number = word.parse().ok().filter(|number| *number <= max);
    number.ok_or_else(|| format!("{word:?} is no number from 0 to {max}"))
}

fn in_words(fault: Fault) -> String {
    match fault {
        Fault { cut: true, .. } => "is cut".to_owned(),
        Fault { loss_ppm: 1.., .. } => format!("loses {} %", fault.loss_ppm / PPM_PER_PERCENT),
        Fault::NONE => "is good".to_owned(),
        _ => format!("takes {} ms", fault.delay.as_millis()),
    }
}

/// Does it and says how it went; nothing that a person types ends the demo but `quit`.
fn obey(pair: &mut Pair, order: Order) {
    let said = match order {
        Order::Kill(side) => pair.kill(side).map(|_| format!("box {side} has no power")),
        Order::Power(side) => pair.power_on(side).map(|_| format!("box {side} starts")),
        Order::Wire(cable, fault) => pair
            .rack()
            .set_fault(cable, fault)
            .map(|()| format!("{cable} {}", in_words(fault)))
            .map_err(Into::into),
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
            let (frames, lost) = (stats.frames, stats.lost);
            let way = format!("{way:?}");
            text += &format!("{way:14} {frames} frames, {lost} lost; {}\n", in_words(fault));
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
            ("cut crossover", Ok(Some(Order::Wire(Cable::Crossover, Fault::CUT)))),
            ("join lan-b", Ok(Some(Order::Wire(Cable::LanB, Fault::NONE)))),
            ("lossy lan-a 3", Ok(Some(Order::Wire(Cable::LanA, Fault::loss_ppm(30_000))))),
            (
                "slow crossover 20",
                Ok(Some(Order::Wire(Cable::Crossover, Fault::delay(Duration::from_millis(20))))),
            ),
            ("lossy lan-a 101", Err("\"101\" is no number from 0 to 100".to_owned())),
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

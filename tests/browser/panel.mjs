// The panel in a real browser: signs in, watches the status page update by itself, adds an account and
// removes it again, at a desk's and a phone's width.
//
//   npm ci --omit=dev --ignore-scripts
//   node panel.mjs URL ADMIN_PASSWORD [MAIL_DOMAIN]
//
// Needs Debian's `chromium`. Prints one line for each check; the first that fails ends the run with
// status 1 and leaves a picture of the page beside the message.

import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [url, password, domain = "example.test"] = process.argv.slice(2);
if (!url || !password) {
  console.error("usage: node panel.mjs URL ADMIN_PASSWORD [MAIL_DOMAIN]");
  process.exit(2);
}

const PATIENCE_MS = 30_000;
const FLAGS = [
  "--no-sandbox", // chromium refuses its sandbox to root, and tests may run as root
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const address = `browser-${Date.now().toString(36)}@${domain}`;
const complaints = [];
let page; // the one that a failure is photographed from

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: FLAGS,
});
let failed = false;
try {
  const context = await newContext({ viewport: { width: 1200, height: 800 } });
  await signIn(context);
  const status = page;
  await seeBothBoxes();
  await watchTheClock();
  const before = await accountsShown(status);
  await addAccount(context);
  await check("the status page, still open, counts the new account by itself", async () => {
    page = status;
    await until(async () => (await accountsShown(status)) === before + 1, "the count did not change");
  });
  await withoutScript(context);
  await phone(context);
  await removeAccount(context);
  await signOut();
  await check("no page broke its own policy or threw an error", async () => {
    expect(complaints.length === 0, complaints.join("; "));
  });
} catch (error) {
  failed = true;
  if (!(error instanceof Failed)) console.log(`FAIL  ${error.stack}`);
} finally {
  await browser.close();
}
process.exit(failed ? 1 : 0);

async function signIn(context) {
  page = await newPage(context);
  await check("a visitor is led to the login page", async () => {
    await page.goto(url);
    await page.waitForURL("**/login");
    expect(await page.isVisible("label[for=password]"), "the field has no label");
  });
  await check("a wrong password is refused in words", async () => {
    await submitPassword("surely not this one");
    await page.waitForSelector("[role=alert]");
    expect((await page.textContent("[role=alert]")).includes("not the admin password"), "other words");
  });
  await check("the right password opens the status page", async () => {
    await submitPassword(password);
    await page.waitForSelector("#live h1");
  });
}

async function submitPassword(text) {
  await page.fill("#password", text);
  await page.press("#password", "Enter");
}

async function seeBothBoxes() {
  await check("the status page shows both boxes, the picture and the headline", async () => {
    for (const name of ["Box a", "Box b"]) {
      await page.getByRole("heading", { name, exact: false }).and(page.locator("h2")).waitFor();
    }
    expect(await page.isVisible("svg[role=img]"), "no picture");
    const picture = await page.textContent("svg[role=img] title");
    expect(/Box a is .*box b is /.test(picture), `the picture says: ${picture}`);
    expect((await page.locator("[aria-live=polite]").count()) === 1, "nothing is read aloud");
  });
}

async function watchTheClock() {
  await check("the status page updates by itself", async () => {
    const shown = () => page.getAttribute("#live > p time", "data-unix");
    await page.evaluate(() => (window.sameDocument = true));
    const first = await shown();
    await until(async () => (await shown()) !== first, "the time did not move");
    expect(await page.evaluate(() => window.sameDocument === true), "the page was reloaded");
    expect(await page.isHidden("#lost"), "it says that the box does not answer");
  });
}

async function accountsShown(at) {
  const text = await at.locator(".figures div", { hasText: "Accounts" }).locator("dd").textContent();
  return Number(text.replace(/\D/g, ""));
}

async function addAccount(context) {
  page = await newPage(context);
  await check("an account with a bad address is refused in words", async () => {
    await page.goto(new URL("/accounts", url).href);
    await page.fill("#address", "no spaces@here");
    await page.fill("#password", "a long password");
    await page.$eval("form.fields", (form) => (form.noValidate = true));
    await page.click("text=Add account");
    await page.waitForSelector("[role=alert]");
  });
  await check("an account is added and stands in the list", async () => {
    await page.fill("#address", address);
    await page.fill("#password", "a long password");
    await page.click("text=Add account");
    await page.waitForURL("**/accounts?done=added");
    await page.locator(".rows li", { hasText: address }).waitFor();
  });
}

async function withoutScript(context) {
  await check("the status page works without its script", async () => {
    const state = await context.storageState();
    const plain = await newContext({ javaScriptEnabled: false, storageState: state });
    page = await newPage(plain);
    await page.goto(url);
    await page.locator("#live h1").waitFor();
    expect((await page.locator("noscript meta[http-equiv=refresh]").count()) === 1, "no reload");
    await plain.close();
  });
}

async function phone(context) {
  page = await newPage(context);
  await page.setViewportSize({ width: 360, height: 740 });
  for (const scheme of ["light", "dark"]) {
    await check(`at phone width nothing is wider than the screen (${scheme})`, async () => {
      await page.emulateMedia({ colorScheme: scheme });
      await page.goto(new URL("/accounts", url).href);
      const row = page.locator(".rows li", { hasText: address });
      const paths = ["/", "/accounts", "/nothing"];
      for (const act of ["Remove", "Change password"]) {
        paths.push(await row.getByRole("link", { name: act }).getAttribute("href"));
      }
      for (const path of paths) {
        await page.goto(new URL(path, url).href);
        const [content, screen] = await page.evaluate(() => [
          document.documentElement.scrollWidth,
          document.documentElement.clientWidth,
        ]);
        expect(content <= screen, `${path} is ${content} px wide on a screen of ${screen} px`);
      }
    });
  }
}

async function removeAccount(context) {
  page = await newPage(context);
  await check("the account is removed after a question", async () => {
    await page.goto(new URL("/accounts", url).href);
    const row = page.locator(".rows li", { hasText: address });
    await row.getByRole("link", { name: "Remove" }).click();
    await page.getByRole("heading", { name: `Remove ${address}?` }).waitFor();
    await page.getByRole("button", { name: "Remove the account" }).click();
    await page.waitForURL("**/accounts?done=removed");
    expect((await page.locator(".rows li", { hasText: address }).count()) === 0, "it is still there");
  });
}

async function signOut() {
  await check("signing out closes the panel", async () => {
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.waitForURL("**/login");
    await page.goto(url);
    await page.waitForURL("**/login");
  });
}

async function newContext(options) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, ...options });
  context.setDefaultTimeout(PATIENCE_MS);
  return context;
}

async function newPage(context) {
  const made = await context.newPage();
  made.on("pageerror", (error) => complaints.push(error.message));
  made.on("console", (message) => {
    if (/Content.Security.Policy|Refused to/i.test(message.text())) complaints.push(message.text());
  });
  return made;
}

async function check(name, work) {
  try {
    await work();
    console.log(`ok    ${name}`);
  } catch (error) {
    const picture = join(tmpdir(), "panel-failed.png");
    await page?.screenshot({ path: picture, fullPage: true }).catch(() => {});
    console.log(`FAIL  ${name}: ${error.message} (${page?.url()}, see ${picture})`);
    throw new Failed(name);
  }
}

async function until(holds, otherwise) {
  const end = Date.now() + PATIENCE_MS;
  while (!(await holds())) {
    expect(Date.now() < end, otherwise);
    await new Promise((wake) => setTimeout(wake, 100));
  }
}

function expect(truth, otherwise) {
  if (!truth) throw new Error(otherwise);
}

// A hoisted class declaration would not exist yet when the run above needs it.
function Failed(name) {
  this.name = name;
}

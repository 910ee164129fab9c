// Walks the console in headless Chromium and keeps screenshots.
//
//   node browser.mjs URL OPERATOR_TOKEN ATTEMPT_ID OUTPUT_FOLDER
//
// Needs playwright-core (npm install playwright-core, in the folder that
// PLAYWRIGHT_FOLDER names) and Chromium (CHROMIUM, or /usr/bin/chromium).
// Ends with 0 and "browser: N checks held", or with 1 and what did not.
// TestConsoleInABrowser of gateway/server runs it on a real gateway.
import { createRequire } from "node:module";
import path from "node:path";

const [url, token, attempt, out] = process.argv.slice(2);
const require = createRequire(path.join(process.env.PLAYWRIGHT_FOLDER || process.cwd(), "here.js"));
const { chromium } = require("playwright-core");

let held = 0;
const failures = [];
const check = (ok, what) => { if (ok) held++; else failures.push(what); };

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox"], // a test as root, of our own pages
});

// watch fails the run for whatever a hostile text could do to a page.
const watch = (page, what) => {
  page.on("dialog", (d) => { failures.push(`${what}: a dialog said ${d.message()}`); d.dismiss(); });
  page.on("pageerror", (e) => failures.push(`${what}: ${e}`));
  page.on("console", (m) => { if (m.type() === "error") failures.push(`${what}: ${m.text()}`); });
  page.on("request", (r) => { if (!r.url().startsWith(url) && !r.url().startsWith("data:")) failures.push(`${what}: asked ${r.url()}`); });
};

const signIn = async (page) => {
  await page.goto(url + "/");
  await page.getByLabel("Token").fill(token);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Overview" }).waitFor();
};

const pages = {
  overview: "/", tasks: "/tasks", attempts: "/attempts", attempt: "/attempts/" + attempt, decisions: "/decisions?outcome=deny",
  policy: "/policy", journal: "/journal", graph: "/graph", limits: "/limits?target=demo&key=max_open_prs&value=1", confirm: "/act/halt?target=demo",
};

// Every page at both widths, light and dark.
for (const width of [360, 1280]) {
  for (const colorScheme of ["light", "dark"]) {
    const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme });
    const page = await context.newPage();
    watch(page, `${width} ${colorScheme}`);
    await page.goto(url + "/login");
    await page.screenshot({ path: path.join(out, `login-${width}-${colorScheme}.png`), fullPage: true });
    await signIn(page);
    const visit = async (name, where) => {
      await page.goto(url + where);
      const wide = await page.evaluate(() => document.scrollingElement.scrollWidth - window.innerWidth);
      check(wide <= 0, `${name} at ${width} is ${wide} px too wide`);
      const bare = await page.evaluate(() => [...document.querySelectorAll("a[href],button,input:not([type=hidden]),select,textarea")]
        .filter((e) => !(e.textContent.trim() || e.getAttribute("aria-label") || (e.labels && e.labels.length))).map((e) => e.outerHTML));
      check(bare.length === 0, `${name}: without a name: ${bare}`);
      check(await page.evaluate(() => document.querySelectorAll("main h1").length === 1), `${name} has not one heading`);
      check(await page.evaluate(() => !document.querySelector("main script, main img, main [onerror], main [style]")), `${name} has what a text put there`);
      await page.screenshot({ path: path.join(out, `${name}-${width}-${colorScheme}.png`), fullPage: true });
    };
    for (const [name, where] of Object.entries(pages)) await visit(name, where);
    const decision = await page.goto(url + pages.decisions).then(() => page.locator("tbody a").first().getAttribute("href"));
    await visit("decision", decision);
    await context.close();
  }
}

// Keyboard: the first thing that Tab reaches is the way past the navigation.
{
  const context = await browser.newContext();
  const page = await context.newPage();
  watch(page, "keyboard");
  await signIn(page);
  await page.keyboard.press("Tab");
  check(await page.evaluate(() => document.activeElement.className === "skip"), "Tab does not reach the skip link first");
  await page.keyboard.press("Enter");
  check(await page.evaluate(() => document.activeElement.id === "main"), "the skip link does not lead to the content");

  // Live: what another client does shows without loading the page again.
  await page.getByText("Live.", { exact: true }).waitFor();
  await page.evaluate(() => { window.same = true; });
  const halted = await fetch(url + "/v1/autonomy/halt", {
    method: "POST", headers: { Authorization: "Bearer " + token, "Content-Type": "application/json" },
    body: JSON.stringify({ target: "demo", reason: "halted from elsewhere" }),
  });
  check(halted.ok, "the API did not halt");
  await page.getByText("halted from elsewhere").first().waitFor({ timeout: 15000 });
  check(await page.evaluate(() => window.same === true), "the page was loaded as a whole");
  await context.close();
}

// What is chosen in a form stays when the page is made anew.
{
  const context = await browser.newContext();
  const page = await context.newPage();
  watch(page, "form");
  await signIn(page);
  await page.getByText("Live.", { exact: true }).waitFor();
  await page.getByLabel("Limit", { exact: true }).selectOption("max_running_attempts");
  await page.getByLabel("Value to try").fill("7");
  await page.getByRole("heading", { name: "Overview" }).click();
  const resumed = await fetch(url + "/v1/autonomy/halt", {
    method: "POST", headers: { Authorization: "Bearer " + token, "Content-Type": "application/json" },
    body: JSON.stringify({ target: null, reason: "halted once more" }),
  });
  check(resumed.ok, "the API did not halt all");
  await page.getByText("halted once more").first().waitFor({ timeout: 15000 });
  check(await page.getByLabel("Limit", { exact: true }).inputValue() === "max_running_attempts", "the chosen limit is lost");
  check(await page.getByLabel("Value to try").inputValue() === "7", "the value is lost");
  await page.goto(url + "/act/resume");
  await page.getByLabel("Reason").fill("seen");
  await page.getByRole("button", { name: "Resume" }).click();
  await page.getByText("The halt is lifted.").waitFor();
  await context.close();
}

// Without JavaScript: sign in, lift the halt, try another limit, sign out.
{
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await signIn(page);
  await page.getByRole("link", { name: "Lift the halt…" }).click();
  await page.getByLabel("Reason").fill("the drill is over");
  await page.getByRole("button", { name: "Resume" }).click();
  await page.getByText("The halt is lifted.").waitFor();
  check(await page.getByText("halted from elsewhere").count() === 0, "the halt still shows");
  await page.goto(url + "/");
  await page.getByLabel("Limit", { exact: true }).selectOption("max_open_prs");
  await page.getByLabel("Value to try").fill("1");
  await page.getByRole("button", { name: "Show what would change" }).click();
  await page.getByRole("heading", { name: "max_open_prs 1 in place of 3" }).waitFor();
  check(await page.getByLabel("Value to try").inputValue() === "1", "the value that was tried does not stand in the form");
  check(await page.locator(".columns .panel").count() === 2, "the plans do not stand side by side");
  await page.getByLabel("Value to try").fill("0");
  await page.getByRole("button", { name: "Show what would change" }).click();
  await page.getByRole("alert").getByText("no config would load with this").waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Token").waitFor();
  await page.goto(url + "/policy");
  check(page.url().includes("/login"), "signed out and still in");
  await context.close();
}

await browser.close();
if (failures.length) {
  console.error(failures.join("\n"));
  process.exit(1);
}
console.log(`browser: ${held} checks held`);

// Opens a report in headless Chromium and uses it as a reader would: search, filter, open an album
// by keyboard, walk on, close; fails on console errors and on any request that leaves the page.
//
//   npm install playwright-core
//   node check_report.mjs REPORT.html [SCREENSHOT_DIR]      CHROMIUM=/usr/bin/chromium
//
// `cargo run --release -p albumen-eval --example sample_report -- OUT` writes a report to check.
import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [report, shots] = process.argv.slice(2);
const url = pathToFileURL(report).href;
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

const open = async (width, height, colorScheme) => {
  const page = await browser.newPage({ viewport: { width, height }, colorScheme });
  const troubles = [];
  page.on("console", (m) => { if (["error", "warning"].includes(m.type())) troubles.push(m.text()); });
  page.on("pageerror", (e) => troubles.push(String(e)));
  page.on("dialog", (d) => { troubles.push("hostile text ran: " + d.message()); d.dismiss(); });
  page.on("request", (r) => { if (r.url() !== url && !r.url().startsWith("data:")) troubles.push(r.url()); });
  const start = Date.now();
  await page.goto(url);
  await page.locator(".card").first().waitFor();
  return { page, troubles, ready_ms: Date.now() - start };
};
const shoot = async (page, name, fullPage = false) => {
  if (shots) await page.screenshot({ path: `${shots}/${name}.png`, fullPage });
};

for (const [name, width, height] of [["desktop", 1280, 1000], ["phone", 390, 844]]) {
  for (const scheme of ["light", "dark"]) {
    const { page, troubles, ready_ms } = await open(width, height, scheme);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.equal(await page.locator(".plot svg").count(), 5, "the plots of the measures");
    assert.ok(overflow <= 0, `the page is ${overflow} px too wide at ${width}`);
    await shoot(page, `${name}-${scheme}`);
    await page.locator("#gallery").scrollIntoViewIfNeeded();
    await page.evaluate(() => document.getElementById("gallery").scrollIntoView());
    await page.waitForTimeout(300);
    await shoot(page, `${name}-${scheme}-gallery`);
    await page.locator(".open").first().click();
    await page.waitForTimeout(200);
    await shoot(page, `${name}-${scheme}-album`);
    assert.deepEqual(troubles, []);
    console.log(`${name} ${scheme}: ready in ${ready_ms} ms`);
    await page.close();
  }
}

const { page, troubles } = await open(1280, 1000, "light");
const count = async () => parseInt(await page.locator("#count").textContent(), 10);
const kept = await count();
assert.ok(kept > 0);

await page.keyboard.press("/");
await page.keyboard.type("beach");
await page.waitForFunction((n) => parseInt(document.getElementById("count").textContent, 10) < n, kept);
const found = await count();
assert.ok((await page.locator("mark").count()) >= Math.min(found, 1));
await shoot(page, "search");
await page.locator("#search").fill("no such word anywhere");
await page.waitForFunction(() => document.querySelectorAll(".card").length === 0);
assert.equal(await page.locator("#count").textContent(), "No album matches.");
await page.locator("#search").fill("");
await page.waitForFunction((n) => parseInt(document.getElementById("count").textContent, 10) === n, kept);

await page.locator("#reason").selectOption("");
const all = await count();
assert.ok(all >= kept);
const reasons = await page.locator("#reason option").evaluateAll((os) => os.map((o) => o.value));
for (const reason of reasons.filter((r) => r && r !== "passed")) {
  await page.locator("#reason").selectOption(reason);
  assert.ok((await count()) > 0, reason);
  await shoot(page, `reason-${reason}`);
  if (reason === "word_list" || reason === "personal_data") {
    await page.locator(".open").first().click();
    assert.equal(await page.locator("#viewer-title").textContent(), "Text hidden");
    await page.getByRole("button", { name: "Show the text" }).click();
    assert.ok((await page.locator("#viewer-photos li").count()) > 0);
    await page.keyboard.press("Escape");
  }
}

// By keyboard alone: open the first album, go on, come back, close; the focus returns to its card.
await page.locator("#reason").selectOption("passed");
await page.locator("#search").focus();
await page.keyboard.press("Tab");
await page.keyboard.press("Tab");
await page.keyboard.press("Enter");
assert.ok(await page.locator("#viewer").isVisible());
const first = await page.locator("#viewer-id").textContent();
await page.keyboard.press("ArrowRight");
assert.notEqual(await page.locator("#viewer-id").textContent(), first);
await page.keyboard.press("ArrowLeft");
assert.equal(await page.locator("#viewer-id").textContent(), first);
await page.keyboard.press("Escape");
assert.ok(!(await page.locator("#viewer").isVisible()));
assert.ok(await page.evaluate(() => document.activeElement.classList.contains("open")));

// All cards come as the reader scrolls.
for (let i = 0; i < 200 && (await page.locator(".card").count()) < kept; i++) {
  await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
  await page.waitForTimeout(30);
}
assert.equal(await page.locator(".card").count(), kept);
assert.deepEqual(troubles, []);
console.log(`${kept} kept, ${all} in all, ${found} found; search, filter, viewer and keyboard work`);
await browser.close();

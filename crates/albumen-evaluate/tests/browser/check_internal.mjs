// Opens an internal report in headless Chromium: stamp always in sight and on every printed page, no
// request, no console message, no sideways scrolling on a phone, themes, details by keyboard.
//
//   make check-reports
//   node check_internal.mjs REPORT.internal.html [SCREENSHOT_DIR]      CHROMIUM=/usr/bin/chromium
//
// `cargo run --release -p albumen-evaluate --example sample_internal -- OUT.html` writes one to check.
import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [report, shots] = process.argv.slice(2);
const url = pathToFileURL(report).href;
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const STAMP = "NOT DIFFERENTIALLY PRIVATE";

for (const [name, width, height] of [["desktop", 1280, 1000], ["phone", 390, 844]]) {
  for (const colorScheme of ["light", "dark"]) {
    const page = await browser.newPage({ viewport: { width, height }, colorScheme });
    const troubles = [];
    page.on("console", (m) => { if (["error", "warning"].includes(m.type())) troubles.push(m.text()); });
    page.on("pageerror", (e) => troubles.push(String(e)));
    page.on("request", (r) => { if (r.url() !== url) troubles.push(r.url()); });
    const shoot = async (what, fullPage = false) => {
      if (shots) await page.screenshot({ path: `${shots}/internal-${name}-${colorScheme}-${what}.png`, fullPage });
    };
    await page.goto(url);
    assert.ok((await page.title()).startsWith(STAMP));
    assert.equal(await page.locator(".kind").count(), 2);
    for (const kind of await page.locator(".kind").all()) {
      assert.equal(await kind.locator(".plot > svg").count(), 15, "plots of a kind");
      assert.ok((await kind.locator(".topics li").count()) >= 2);
    }
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(overflow <= 0, `the page is ${overflow} px too wide at ${width}`);
    // No text of a plot leaves its drawing or covers its neighbour in the same row.
    const spilt = await page.evaluate(() => [...document.querySelectorAll(".plot svg text")].filter((t) => {
      const [a, b] = [t.getBoundingClientRect(), t.closest("svg").getBoundingClientRect()];
      return a.left < b.left - 1 || a.right > b.right + 1;
    }).map((t) => t.textContent));
    assert.deepEqual(spilt, []);
    await shoot("top");
    for (const id of ["summaries", "captions-topics", "captions-copying", "sizes"]) {
      await page.evaluate((i) => document.getElementById(i).scrollIntoView(), id);
      await page.waitForTimeout(150);
      const stamp = await page.locator(".stamp").boundingBox();
      assert.ok(stamp.y >= 0 && stamp.y < 5, "the stamp stays in sight");
      await shoot(id);
    }
    // By keyboard alone: open the first list of pairs.
    const summary = page.locator("details summary").first();
    await summary.focus();
    await page.keyboard.press("Enter");
    assert.ok(await page.locator(".pairs").first().isVisible());
    await shoot("pairs");
    const before = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await page.locator("#theme").click();
    assert.notEqual(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), before);
    assert.deepEqual(troubles, []);
    console.log(`${name} ${colorScheme}: fits, ${await page.locator("svg").count()} drawings`);
    await page.close();
  }
}
const page = await browser.newPage();
await page.goto(url);
await page.emulateMedia({ media: "print" });
assert.equal(await page.locator(".stamp").evaluate((e) => getComputedStyle(e).position), "fixed");
if (shots) await page.pdf({ path: `${shots}/internal.pdf`, format: "A4" });
console.log("print: the stamp is on every page");
await browser.close();

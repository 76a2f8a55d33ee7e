import { el, make } from "./dom.js";
import { sound } from "./sound.js";

/** Microphones and speakers, as far as the browser tells of them: names come with the first call. @param {() => void} onMicrophone */
export function showDevices(onMicrophone) {
  const microphone = /** @type {HTMLSelectElement} */ (el("microphone"));
  const speaker = /** @type {HTMLSelectElement} */ (el("speaker"));
  microphone.addEventListener("change", onMicrophone);
  speaker.addEventListener("change", () => void sound.setSinkId(speaker.value));
  speaker.disabled = !("setSinkId" in sound);
  const { mediaDevices } = navigator;
  if (!mediaDevices) return;
  const list = async () => {
    const devices = await mediaDevices.enumerateDevices();
    fill(microphone, devices, "audioinput");
    fill(speaker, devices, "audiooutput");
  };
  mediaDevices.addEventListener("devicechange", () => void list());
  sound.addEventListener("playing", () => void list());
  void list();
}

/** The microphone to talk by. */
export function chosenMicrophone() {
  const { value } = /** @type {HTMLSelectElement} */ (el("microphone"));
  return { audio: value ? { deviceId: { exact: value } } : true, video: false };
}

/** @param {HTMLSelectElement} select @param {MediaDeviceInfo[]} devices @param {string} wanted */
function fill(select, devices, wanted) {
  const chosen = select.value;
  const own = devices.filter(({ kind }) => kind === wanted);
  const options = own.map(({ deviceId, label }, at) => make("option", { value: deviceId }, label || `${at + 1}`));
  select.replaceChildren(...options);
  if (own.some(({ deviceId }) => deviceId === chosen)) select.value = chosen;
}
